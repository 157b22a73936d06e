import { existsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { keyIdPattern, type RotatableKeyStore, type WrappedKey } from '@fastness/keys';
import { readSealedModel, rewrapSealedModel } from '@fastness/model';
import { z } from 'zod';
import { readText, writeJson } from './home.ts';

/**
 * Where a rotation stands that may have been cut off. It is written before anything else happens and goes last, so
 * whoever runs the command again goes to the same version: a rotation is finished or has not begun, never done twice.
 */
const journalSchema = z.strictObject({
  format: z.literal('fastness/rotation/v1'),
  modelId: z.string().min(1).max(256),
  sealId: z.string().regex(/^[0-9a-f]{16}$/),
  keyId: z.string().regex(keyIdPattern),
  toVersion: z.int().min(2),
});
type Journal = z.infer<typeof journalSchema>;

export interface RotatedModel {
  readonly modelId: string;
  readonly keyId: string;
  readonly version: number;
  /** Whether this finished a rotation that was cut off. */
  readonly resumed: boolean;
}

/**
 * Gives the wrapping key of a sealed model a new version, wraps the model's root key under it and registers that. Sealed
 * files are not touched, and the model can be opened at every moment: the old version still unwraps what the broker has.
 * Throws LIFECYCLE_ROTATION_JOURNAL, those of `readSealedModel`, of the key store and of `register`.
 */
export async function rotateModel(options: {
  /** The sealed model. */
  readonly dir: string;
  readonly keyStore: RotatableKeyStore;
  /** Where the journal lies while the rotation runs. */
  readonly journalPath: string;
  /** Hands the new keys.json to the broker. Called again when that was cut off. */
  readonly register: (root: WrappedKey) => Promise<void>;
}): Promise<RotatedModel> {
  const { dir, keyStore, journalPath, register } = options;
  const { manifest, wrappedRoot } = await readSealedModel(dir);
  const { modelId, sealId } = manifest;
  const { keyId } = wrappedRoot;
  const begun = await readJournal(journalPath);
  if (begun !== undefined && (begun.modelId !== modelId || begun.sealId !== sealId || begun.keyId !== keyId)) {
    throw new FastnessError('LIFECYCLE_ROTATION_JOURNAL', journalPath);
  }
  const toVersion = begun?.toVersion ?? (await currentVersion(keyStore, keyId)) + 1;
  if (begun === undefined) {
    await writeJson(journalPath, {
      format: 'fastness/rotation/v1',
      modelId,
      sealId,
      keyId,
      toVersion,
    } satisfies Journal);
    // The journal must be there before the store changes, also after a power cut.
    await syncDirectory(dirname(journalPath));
  }
  if ((await currentVersion(keyStore, keyId)) < toVersion) await keyStore.rotate(keyId);
  const root = wrappedRoot.keyVersion < toVersion ? await rewrapSealedModel(dir, keyStore) : wrappedRoot;
  await register(root);
  await rm(journalPath);
  return { modelId, keyId, version: root.keyVersion, resumed: begun !== undefined };
}

/** The journal of a model's rotation, beside the state of running services. */
export function rotationJournal(runDirectory: string, modelId: string): string {
  return join(runDirectory, `rotation-${modelId.replaceAll(/[^A-Za-z0-9._-]/g, '_')}.json`);
}

async function readJournal(path: string): Promise<Journal | undefined> {
  if (!existsSync(path)) return undefined;
  try {
    return journalSchema.parse(JSON.parse(await readText(path)));
  } catch (cause) {
    throw new FastnessError('LIFECYCLE_ROTATION_JOURNAL', path, { cause });
  }
}

async function currentVersion(store: RotatableKeyStore, keyId: string): Promise<number> {
  const info = (await store.list()).find(({ id, purpose }) => id === keyId && purpose === 'wrap');
  if (info === undefined) throw new FastnessError('KEYS_ID_UNKNOWN', keyId);
  return info.version;
}

async function syncDirectory(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}
