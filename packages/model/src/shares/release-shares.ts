import type { Manifest } from '../manifest.ts';
import type { Release } from '../release/release-document.ts';
import type { ModelKeys } from '../seal/keys-file.ts';
import { shareSetOf } from './commit.ts';

/**
 * `keyShares` of a release of this sealed model: its set, its threshold, and the brokers that its shares were sealed to.
 * Undefined for a model whose key is not shared. Throws KEY_SHARES_TOO_FEW when keys.json has shares and the manifest none.
 */
export function releaseSharesOf(
  manifest: Pick<Manifest, 'keyShares'>,
  keys: ModelKeys,
): NonNullable<Release['keyShares']> | undefined {
  if (keys.kind === 'root') return undefined;
  const { setId, threshold } = shareSetOf(manifest);
  const brokers = keys.shares.map(({ index, recipient: { brokerKey, logKey } }) => ({ index, brokerKey, logKey }));
  return { setId, threshold, brokers };
}
