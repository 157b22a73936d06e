import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { KeyStore, WrappedKey } from '@fastness/keys';
import { checkShare } from '@fastness/model';
import type { UsableRelease } from './authorise-release.ts';
import type { BrokerContext } from './context.ts';
import { portionOf, wrapContextOf, type KeyBinding } from './model-keys.ts';

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
 * Unwraps what this broker has of the root key of a release, bound to its model and sealing: all of it, or a share, which is
 * compared with the manifest. The caller wipes it. Throws `BROKER_WRAPPED_KEY_UNUSABLE`, `BROKER_KEY_STORE`, `KEY_SHARE_MISMATCH`.
 */
export async function unwrapRoot(
  { keyStore, signer }: Pick<BrokerContext, 'keyStore' | 'signer'>,
  release: { readonly root: UsableRelease['root']; readonly verified: KeyBinding },
): Promise<Uint8Array> {
  const context = wrapContextOf(signer, release.verified);
  const root = await unwrapUnder(keyStore, release.root, context, 'BROKER_WRAPPED_KEY_UNUSABLE');
  const { share } = portionOf(signer, release.verified);
  try {
    if (share !== undefined) checkShare(release.verified.manifest, share, root);
    return root;
  } catch (error) {
    root.fill(0);
    throw error;
  }
}
