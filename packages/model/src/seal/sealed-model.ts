import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8Decode } from '@fastness/codec/bytes';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { rewrap, type KeyStore, type WrappedKey } from '@fastness/keys';
import { parseManifest, type Manifest, type ManifestFile } from '../manifest.ts';
import { asIoError, readFully } from '../threads/file-io.ts';
import { rootKeyContext } from './derive.ts';
import { encodeKeysFile, parseKeysFile, type ModelKeys } from './keys-file.ts';
import { openRegularFile } from './regular-file.ts';
import { restoreReplaced, stagingPath, syncFolder, targetOf } from './staging.ts';

/** A sealed model on disk. Nothing of it is authenticated: that takes `verifyRelease` and `verifySealedFiles`. */
export interface SealedModel {
  /** The folder, with links resolved in what leads to it. */
  readonly dir: string;
  readonly manifest: Manifest;
  /** manifest.json as it is, for digests. */
  readonly manifestText: string;
  readonly keys: ModelKeys;
  /** The wrapped key of the whole. Throws MODEL_KEY_SHARED where there is none. */
  readonly wrappedRoot: WrappedKey;
  /** The manifest's entry for a path, and where its ciphertext is. Errors: MODEL_FILE_UNKNOWN. */
  file(path: string): ManifestFile & { readonly absolutePath: string };
}

/** Bytes. */
const maxManifestSize = 64 * 1024 * 1024;
const maxKeysSize = 256 * 1024;

/**
 * Reads a sealed model's manifest and wrapped key; a replacement that a crash cut off is undone first.
 * Errors: MODEL_NOT_SEALED, MANIFEST_*, MODEL_KEYS_MALFORMED, SEAL_IO.
 */
export async function readSealedModel(dir: string): Promise<SealedModel> {
  const path = await findFolder(dir);
  const manifestText = await readText(join(path, 'manifest.json'), maxManifestSize, 'MANIFEST_MALFORMED');
  const manifest = parseManifest(manifestText);
  const keys = parseKeysFile(await readText(join(path, 'keys.json'), maxKeysSize, 'MODEL_KEYS_MALFORMED'));
  const byPath = new Map(manifest.files.map((file) => [file.path, file]));
  return {
    dir: path,
    manifest,
    manifestText,
    keys,
    get wrappedRoot() {
      if (keys.kind !== 'root') throw new FastnessError('MODEL_KEY_SHARED');
      return keys.root;
    },
    file(wanted) {
      const file = byPath.get(wanted);
      if (file === undefined) throw new FastnessError('MODEL_FILE_UNKNOWN', JSON.stringify(wanted.slice(0, 100)));
      return { ...file, absolutePath: join(path, file.sealedPath) };
    },
  };
}

/**
 * Wraps the root key anew under the current version of its wrapping key: the step that lets an old version be retired.
 * No file is encrypted again. keys.json is replaced in one rename. Errors: as readSealedModel, MODEL_KEY_SHARED, and the
 * key store's.
 */
export async function rewrapSealedModel(dir: string, keyStore: KeyStore): Promise<WrappedKey> {
  const model = await readSealedModel(dir);
  const wrapped = await rewrap(keyStore, model.wrappedRoot, rootKeyContext(model.manifest));
  // Beside the model and not in it, where an unsigned file would be refused; what a crash leaves, the next seal removes.
  const temporary = stagingPath(await targetOf(model.dir));
  try {
    await using handle = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
    await handle.writeFile(encodeKeysFile({ kind: 'root', root: wrapped }));
    await handle.sync();
    await rename(temporary, join(model.dir, 'keys.json'));
    await syncFolder(model.dir);
    return wrapped;
  } catch (error) {
    await rm(temporary, { force: true });
    throw asIoError(error);
  }
}

async function findFolder(dir: string): Promise<string> {
  try {
    const target = await targetOf(dir);
    await restoreReplaced(target);
    return target.path;
  } catch (error) {
    if (error instanceof FastnessError && error.code === 'SEAL_TARGET_INVALID') {
      throw new FastnessError('MODEL_NOT_SEALED', error.detail);
    }
    throw error;
  }
}

async function readText(path: string, maxSize: number, tooLarge: ErrorCode): Promise<string> {
  await using file = await openRegularFile(path, 'MODEL_NOT_SEALED');
  if (file.size > maxSize) throw new FastnessError(tooLarge, `It has ${file.size} bytes.`);
  const bytes = new Uint8Array(file.size);
  const length = readFully(file.handle.fd, bytes, 0);
  try {
    return utf8Decode(bytes.subarray(0, length));
  } catch (cause) {
    throw new FastnessError(tooLarge, 'It is not UTF-8.', { cause });
  }
}
