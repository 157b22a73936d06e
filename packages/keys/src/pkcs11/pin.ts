import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { FastnessError } from '@fastness/codec/errors';

const maxPinBytes = 256;

/** Where the child reads the PIN: a path, or a descriptor of its own. */
export type ChildPinSource =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'descriptor'; readonly descriptor: number };

/**
 * Reads the PIN; the caller wipes it. A file must be a plain file of this user (or root) that nobody else can read.
 * One line ending at the very end is not part of the PIN. Errors: KEYS_HSM_PIN_SOURCE, which never quotes what was read.
 */
export function readPin(source: ChildPinSource): Uint8Array {
  const buffer = new Uint8Array(maxPinBytes + 3);
  try {
    const length = source.kind === 'file' ? readFile(source.path, buffer) : fill(source.descriptor, buffer);
    let end = length;
    if (buffer[end - 1] === 0x0a) end -= buffer[end - 2] === 0x0d ? 2 : 1;
    if (end < 1) throw new FastnessError('KEYS_HSM_PIN_SOURCE', 'It is empty, or was read before.');
    if (end > maxPinBytes) throw new FastnessError('KEYS_HSM_PIN_SOURCE', `It has more than ${maxPinBytes} bytes.`);
    return buffer.slice(0, end);
  } catch (error) {
    if (error instanceof FastnessError) throw error;
    const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
    throw new FastnessError('KEYS_HSM_PIN_SOURCE', typeof code === 'string' ? `(${code})` : undefined);
  } finally {
    buffer.fill(0);
  }
}

function readFile(path: string, buffer: Uint8Array): number {
  // O_NONBLOCK: opening a pipe in place of the file must not hang.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new FastnessError('KEYS_HSM_PIN_SOURCE', 'It is not a regular file.');
    if ((stats.mode & 0o077) !== 0) {
      throw new FastnessError('KEYS_HSM_PIN_SOURCE', `Its mode is 0${(stats.mode & 0o777).toString(8)}.`);
    }
    if (stats.uid !== process.geteuid?.() && stats.uid !== 0) {
      throw new FastnessError('KEYS_HSM_PIN_SOURCE', 'It belongs to another user.');
    }
    return fill(descriptor, buffer);
  } finally {
    closeSync(descriptor);
  }
}

function fill(descriptor: number, buffer: Uint8Array): number {
  // A plain file is read from its beginning every time, whatever was read through the descriptor before.
  const position = fstatSync(descriptor).isFile();
  let length = 0;
  while (length < buffer.length) {
    const count = readSync(descriptor, buffer, length, buffer.length - length, position ? length : null);
    if (count === 0) break;
    length += count;
  }
  return length;
}
