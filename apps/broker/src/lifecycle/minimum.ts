import { FastnessError } from '@fastness/codec/errors';
import { storedKeyOf } from '../model-keys.ts';
import { commitRecorded, type BrokerContext } from '../context.ts';
import type { BrokerDatabase } from '../store/index.ts';
import { wrappingKeyInfo } from './rotation.ts';
import { changeWrappingKey, readWrappingKey } from './wrapping-keys.ts';

/**
 * Raises the minimum usable version of a wrapping key: from now on nothing that an older version wrapped is unwrapped.
 * Throws `LIFECYCLE_MINIMUM_LOWERED`, `LIFECYCLE_VERSION_UNKNOWN`, `LIFECYCLE_STILL_WRAPPED`, `LIFECYCLE_KEY_UNKNOWN`.
 */
export async function raiseMinimum(
  context: BrokerContext,
  keyId: string,
  minimumVersion: number,
): Promise<{ readonly keyId: string; readonly minimumVersion: number }> {
  const { version } = await wrappingKeyInfo(context.keyStore, keyId);
  if (minimumVersion > version) throw new FastnessError('LIFECYCLE_VERSION_UNKNOWN', `The current one is ${version}.`);
  return await commitRecorded(context, async (trx) => {
    const { minimum_version: before } = await readWrappingKey(trx, keyId);
    if (minimumVersion < before) throw new FastnessError('LIFECYCLE_MINIMUM_LOWERED', `It is ${before}.`);
    const left = await stillWrapped(trx, keyId, minimumVersion);
    if (left.length > 0) throw new FastnessError('LIFECYCLE_STILL_WRAPPED', `${left.slice(0, 4).join(', ')}.`);
    await changeWrappingKey(trx, keyId, { minimum_version: minimumVersion });
    return {
      kind: 'wrapping-key-minimum',
      facts: { wrappingKey: keyId, minimumVersion },
      result: { keyId, minimumVersion },
    };
  });
}

/** Releases that could still be asked for and whose root key an older version wraps. */
async function stillWrapped(trx: BrokerDatabase, keyId: string, minimum: number): Promise<string[]> {
  const releases = await trx.selectFrom('releases').select(['release_digest', 'model_id', 'version', 'keys']).execute();
  const highest = new Map(
    (await trx.selectFrom('model_versions').selectAll().execute()).map((row) => [row.model_id, row.highest_version]),
  );
  const revoked = await trx.selectFrom('revocations').select('value').where('kind', '=', 'release').execute();
  const gone = new Set(revoked.map(({ value }) => value));
  return releases
    .filter(({ release_digest: digest, model_id: model, version, keys }) => {
      if (gone.has(digest) || version < (highest.get(model) ?? 0)) return false;
      const root = storedKeyOf(keys);
      return root.keyId === keyId && root.keyVersion < minimum;
    })
    .map(({ release_digest: digest }) => digest);
}
