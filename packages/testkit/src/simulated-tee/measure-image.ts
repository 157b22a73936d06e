import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { compareBytes, concatBytes, toHex, u32be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { listImage, type ImageEntry } from './image-files.ts';

export interface MeasureImageOptions {
  /** Folder that names are relative to, so that two checkouts measure alike. Default: the working directory. */
  readonly root?: string;
  /** Files and folders to leave out. */
  readonly exclude?: readonly string[];
}

const LABEL = 'fastness/simulated-image/v1';
const MAX_BYTES = 16 * 2 ** 30;
const CHUNK = 1 << 18;

/**
 * Measures an image: SHA-384 over a label and, in bytewise order of the names, one frame per file or symbolic link.
 * A frame is a kind (1 file, 2 link), the name and either the SHA-384 of the content or the text of the link, each with
 * its length in front (32 bits, big-endian). Modes, owners and times do not count.
 *
 * What it does not protect against: files that change between measuring and loading. Hardware measures memory; this
 * stands in for it.
 * @param paths files and folders, relative to the root or absolute
 * @returns 96 hex digits
 * @throws TESTKIT_IMAGE_*
 */
export async function measureImage(paths: readonly string[], options: MeasureImageOptions = {}): Promise<string> {
  if (paths.length === 0) throw new FastnessError('TESTKIT_IMAGE_MISSING', 'No path was given.');
  const { root = process.cwd(), exclude = [] } = options;
  const entries = await listImage({ paths, root, exclude });
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total > MAX_BYTES) throw new FastnessError('TESTKIT_IMAGE_LIMIT', `${total} bytes.`);
  const frames: { name: Uint8Array; frame: Uint8Array }[] = [];
  const chunk = new Uint8Array(CHUNK);
  for (const [index, entry] of entries.entries()) {
    frames.push(frameOf(entry, chunk));
    if (index % 64 === 0) await setImmediate();
  }
  frames.sort((left, right) => compareBytes(left.name, right.name));
  const hash = createHash('sha384').update(framed(utf8Encode(LABEL)));
  for (const { frame } of frames) hash.update(frame);
  return toHex(hash.digest());
}

function frameOf(entry: ImageEntry, chunk: Uint8Array): { name: Uint8Array; frame: Uint8Array } {
  const name = utf8Encode(entry.name);
  const kind = entry.target === undefined ? 1 : 2;
  const content = entry.target === undefined ? digestOf(entry, chunk) : utf8Encode(entry.target);
  return { name, frame: concatBytes(Uint8Array.of(kind), framed(name), framed(content)) };
}

/** Reads synchronously: thousands of small files take half the time that way, and nothing else is running yet. */
function digestOf(entry: ImageEntry, chunk: Uint8Array): Uint8Array {
  const file = openWithoutFollowing(entry.path);
  try {
    const hash = createHash('sha384');
    let size = 0;
    for (let count = readSync(file, chunk); count > 0 && size <= entry.size; count = readSync(file, chunk)) {
      size += count;
      hash.update(chunk.subarray(0, count));
    }
    if (size !== entry.size) throw new FastnessError('TESTKIT_IMAGE_CHANGED', entry.path);
    return hash.digest();
  } finally {
    closeSync(file);
  }
}

/** A file that became a link since it was listed must not be followed. */
function openWithoutFollowing(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    throw new FastnessError('TESTKIT_IMAGE_CHANGED', path, { cause });
  }
}

function framed(bytes: Uint8Array): Uint8Array {
  return concatBytes(u32be(bytes.length), bytes);
}
