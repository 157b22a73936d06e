import { randomBytes } from 'node:crypto';
import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { checkPassphrase } from '../passphrase.ts';
import { fileState, readPrivateFileWithState, writePrivateFile, type FileState } from '../private-file.ts';
import { decodeContent, encodeContent, wipeContent, type StoreContent } from './content.ts';
import { maxStoreBytes, openStore, parseStore, sealStore, type StoreHeader } from './file-format.ts';
import { checkKdfCost, defaultKdfCost, deriveFileKey, saltBytes, type KdfCost } from './kdf.ts';
import { defaultLockTimeout, withWriteLock } from './write-lock.ts';

export interface SoftwareKeyStoreOptions {
  readonly path: string;
  /** 8 to 1024 bytes. Used once and not kept; the caller wipes it. */
  readonly passphrase: Uint8Array;
  /** How long a write waits for other writers, milliseconds; default 10,000. */
  readonly lockTimeout?: number;
}

/** An unlocked store file: its path, its header and the key of its passphrase. */
export interface StoreFile {
  readonly path: string;
  readonly header: StoreHeader;
  readonly fileKey: Uint8Array;
  readonly lockTimeout: number;
}

/** Writes an empty store. Errors: KEYS_PASSPHRASE, KEYS_KDF_BOUNDS, KEYS_FILE_EXISTS, KEYS_IO. */
export async function createStoreFile(
  options: SoftwareKeyStoreOptions & { readonly cost?: KdfCost },
): Promise<StoreFile> {
  checkPassphrase(options.passphrase);
  const header = { cost: options.cost ?? defaultKdfCost, salt: new Uint8Array(randomBytes(saltBytes)) };
  checkKdfCost(header.cost);
  const fileKey = await deriveFileKey(options.passphrase, header.salt, header.cost);
  const file = { path: options.path, header, fileKey, lockTimeout: options.lockTimeout ?? defaultLockTimeout };
  try {
    await write(file, { generation: 1, keys: [] }, true);
    return file;
  } catch (error) {
    fileKey.fill(0);
    throw error;
  }
}

/** Derives the key of an existing store; whether the passphrase was right shows when it is loaded. */
export async function unlockStoreFile(options: SoftwareKeyStoreOptions): Promise<StoreFile> {
  const { path, passphrase, lockTimeout = defaultLockTimeout } = options;
  checkPassphrase(passphrase);
  const { cost, salt } = parseStore((await read(path)).bytes);
  const header = { cost, salt: new Uint8Array(salt) };
  return { path, header, fileKey: await deriveFileKey(passphrase, header.salt, cost), lockTimeout };
}

/**
 * Reads, decrypts and checks what is on disk now; nothing older than `generation` is accepted. The caller wipes it.
 * Errors: KEYS_FILE_NOT_FOUND, KEYS_PERMISSIONS, KEYS_FILE_DAMAGED, KEYS_REKEYED, KEYS_UNLOCK, KEYS_ROLLBACK, KEYS_IO.
 */
export async function loadStoreFile(
  { path, header, fileKey }: StoreFile,
  generation: number,
): Promise<{ content: StoreContent; state: FileState }> {
  const { bytes, state } = await read(path);
  const sealed = parseStore(bytes);
  if (!equalBytes(sealed.salt, header.salt)) throw new FastnessError('KEYS_REKEYED');
  const opened = openStore(sealed, fileKey);
  try {
    const content = decodeContent(opened);
    if (content.generation >= generation) return { content, state };
    wipeContent(content);
    throw new FastnessError('KEYS_ROLLBACK', `Its generation is ${content.generation}, after ${generation}.`);
  } finally {
    opened.fill(0);
  }
}

/** Replaces what is on disk. Errors: KEYS_IO. */
export function saveStoreFile(file: StoreFile, content: StoreContent): Promise<void> {
  return write(file, content, false);
}

/** Runs `work` as the only writer on this machine. Errors: KEYS_LOCKED, KEYS_IO. */
export function lockStoreFile<T>(file: StoreFile, work: () => Promise<T>): Promise<T> {
  return withWriteLock(file.path, file.lockTimeout, work);
}

/** Changes whenever the file is replaced. Errors: KEYS_FILE_NOT_FOUND, KEYS_IO. */
export function storeFileState(file: StoreFile): Promise<FileState> {
  return fileState(file.path);
}

function read(path: string): Promise<{ bytes: Uint8Array; state: FileState }> {
  return readPrivateFileWithState(path, { maxBytes: maxStoreBytes, tooLarge: 'KEYS_FILE_DAMAGED' });
}

async function write(file: StoreFile, content: StoreContent, mustNotExist: boolean): Promise<void> {
  const encoded = encodeContent(content);
  try {
    await writePrivateFile(file.path, sealStore(file.header, file.fileKey, encoded), { mustNotExist });
  } finally {
    encoded.fill(0);
  }
}
