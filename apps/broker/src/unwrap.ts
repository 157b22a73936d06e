import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
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
 * Unwraps the root key of a release, bound to its model and sealing. The caller wipes it.
 * Throws `BROKER_WRAPPED_KEY_UNUSABLE`, `BROKER_KEY_STORE`.
 */
export async function unwrapRoot(
  context: Pick<BrokerContext, 'keyStore'>,
  release: { readonly root: UsableRelease['root']; readonly verified: Pick<UsableRelease['verified'], 'manifest'> },
): Promise<Uint8Array> {
  try {
    return await context.keyStore.unwrap(release.root, rootKeyContext(release.verified.manifest));
  } catch (cause) {
    const unusable = cause instanceof FastnessError && keyAtFault.has(cause.code);
    throw new FastnessError(unusable ? 'BROKER_WRAPPED_KEY_UNUSABLE' : 'BROKER_KEY_STORE', undefined, { cause });
  }
}
