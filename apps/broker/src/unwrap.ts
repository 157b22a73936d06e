import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { KeyStore, WrappedKey } from '@fastness/keys';
import { rootKeyContext } from '@fastness/model';
import type { UsableRelease } from './authorise-release.ts';
import type { BrokerContext } from './context.ts';

/** Codes by which a key store says that it works and that this wrapped key is the problem. */
const keyAtFault: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'KEYS_ID_UNKNOWN',
  'KEYS_VERSION_UNKNOWN',
  'KEYS_PURPOSE',
  'KEYS_WRAPPED_MALFORMED',
  'KEYS_WRAPPED_ALGORITHM',
  'KEYS_UNWRAP',
]);

/**
 * Unwraps a key; the caller wipes it. A key store that says that this wrapped key is the problem becomes `unusable`, any other
 * fault `BROKER_KEY_STORE`.
 */
export async function unwrapUnder(
  keyStore: KeyStore,
  wrapped: WrappedKey,
  context: Uint8Array,
  unusable: 'BROKER_WRAPPED_KEY_UNUSABLE' | 'RCAR_RESOURCE_UNUSABLE',
): Promise<Uint8Array> {
  try {
    return await keyStore.unwrap(wrapped, context);
  } catch (cause) {
    const atFault = cause instanceof FastnessError && keyAtFault.has(cause.code);
    throw new FastnessError(atFault ? unusable : 'BROKER_KEY_STORE', undefined, { cause });
  }
}

/**
 * Unwraps the root key of a release, bound to its model and sealing. The caller wipes it.
 * Throws `BROKER_WRAPPED_KEY_UNUSABLE`, `BROKER_KEY_STORE`.
 */
export async function unwrapRoot(
  { keyStore }: Pick<BrokerContext, 'keyStore'>,
  release: { readonly root: UsableRelease['root']; readonly verified: Pick<UsableRelease['verified'], 'manifest'> },
): Promise<Uint8Array> {
  const context = rootKeyContext(release.verified.manifest);
  return await unwrapUnder(keyStore, release.root, context, 'BROKER_WRAPPED_KEY_UNUSABLE');
}
