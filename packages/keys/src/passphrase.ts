import { FastnessError } from '@fastness/codec/errors';
import { readPrivateFile } from './private-file.ts';

/** Bytes a passphrase may have. */
const passphraseBounds = Object.freeze({ min: 8, max: 1024 });

/** Errors: KEYS_PASSPHRASE. */
export function checkPassphrase(passphrase: Uint8Array): void {
  if (passphrase.length < passphraseBounds.min || passphrase.length > passphraseBounds.max) {
    throw new FastnessError('KEYS_PASSPHRASE', `It has ${passphrase.length} bytes.`);
  }
}

/**
 * Reads a passphrase from a file that only this user can read. One line ending at the very end (LF or CR LF) is
 * not part of the passphrase, because editors and `echo` add it; every other byte is. The caller wipes the result.
 * Errors: KEYS_FILE_NOT_FOUND, KEYS_PERMISSIONS, KEYS_PASSPHRASE, KEYS_IO.
 */
export async function readPassphraseFile(path: string): Promise<Uint8Array> {
  const bytes = await readPrivateFile(path, {
    maxBytes: passphraseBounds.max + 2,
    tooLarge: 'KEYS_PASSPHRASE',
  });
  try {
    let end = bytes.length;
    if (bytes[end - 1] === 0x0a) end -= bytes[end - 2] === 0x0d ? 2 : 1;
    const passphrase = bytes.slice(0, end);
    checkPassphrase(passphrase);
    return passphrase;
  } finally {
    bytes.fill(0);
  }
}
