import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { concatBytes, u32be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readModelDisk, writeModelDisk } from '../src/disk/index.ts';

let base: string;
let made = 0;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'fastness-disk-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

const fresh = async (): Promise<string> => {
  const folder = join(base, `f${(made += 1)}`);
  await mkdir(folder);
  return folder;
};
const files = new Map<string, Uint8Array>([
  ['manifest.json', utf8Encode('{}')],
  ['empty', new Uint8Array(0)],
  ['files/a/weights.gguf.floe', new Uint8Array(5000).fill(7)],
  ['files/b.floe', new Uint8Array(4096).fill(9)],
]);
async function source(): Promise<string> {
  const folder = await fresh();
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
  return folder;
}
async function disk(): Promise<string> {
  const target = join(await fresh(), 'disk');
  await writeModelDisk({ directory: await source(), target });
  return target;
}
/** A disk with an index of the test's own. */
async function disguised(index: string | Uint8Array, content = new Uint8Array(8192)): Promise<string> {
  const bytes = typeof index === 'string' ? utf8Encode(index) : index;
  const head = concatBytes(utf8Encode('fastness/disk/1\n'), u32be(bytes.length), bytes);
  const padded = concatBytes(head, new Uint8Array(4096 - (head.length % 4096)), content);
  const path = join(await fresh(), 'disk');
  await writeFile(path, padded);
  return path;
}
const read = async (device: string, maxBytes = 1 << 20): Promise<string> => {
  const directory = await fresh();
  await readModelDisk({ device, directory, maxBytes });
  return directory;
};
async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    return error instanceof FastnessError ? error.code : String(error);
  }
}

describe('a sealed model on a disk', () => {
  it('comes back byte for byte, and is written the same every time', async () => {
    const device = await disk();
    const directory = await read(device);
    for (const [path, bytes] of files) {
      expect(new Uint8Array(await readFile(join(directory, path)))).toEqual(bytes);
    }
    expect(await readFile(await disk())).toEqual(await readFile(device));
    // A device is as large as its host likes.
    await appendFile(device, new Uint8Array(4096));
    expect((await readdir(await read(device))).sort()).toEqual(['empty', 'files', 'manifest.json']);
  });

  it('is refused: no such device, another content, cut off, too large', async () => {
    expect(await codeOf(read(join(base, 'missing')))).toBe('MODEL_DISK_UNREADABLE');
    const other = join(await fresh(), 'other');
    await writeFile(other, new Uint8Array(8192));
    expect(await codeOf(read(other))).toBe('MODEL_DISK_MAGIC');
    const cut = await disk();
    await truncate(cut, 5000);
    expect(await codeOf(read(cut))).toBe('MODEL_DISK_TRUNCATED');
    expect(await codeOf(read(await disk(), 9000))).toBe('MODEL_DISK_TOO_LARGE');
  });

  it.each([
    ['no JSON', 'no'],
    ['no text', Uint8Array.of(0xff, 0xfe)],
    ['no files', '{"files":[]}'],
    ['another member', '{"files":[{"path":"a","size":1}],"more":1}'],
    ['a link', '{"files":[{"path":"a","size":0,"link":"../../etc/passwd"}]}'],
    ['a negative size', '{"files":[{"path":"a","size":-1}]}'],
    ['a way out', '{"files":[{"path":"../a","size":1}]}'],
    ['a way out in the middle', '{"files":[{"path":"a/../../b","size":1}]}'],
    ['an absolute path', '{"files":[{"path":"/a","size":1}]}'],
    ['a hidden file', '{"files":[{"path":".a","size":1}]}'],
    ['the same path twice', '{"files":[{"path":"a","size":1},{"path":"a","size":1}]}'],
    ['paths out of order', '{"files":[{"path":"b","size":1},{"path":"a","size":1}]}'],
    ['a file that is a folder', '{"files":[{"path":"a","size":1},{"path":"a/b","size":1}]}'],
  ])('is refused with an index that has %s', async (_, index) => {
    expect(await codeOf(read(await disguised(index)))).toBe('MODEL_DISK_INDEX');
  });

  it('is refused when the index is longer than any', async () => {
    const path = join(await fresh(), 'disk');
    await writeFile(path, concatBytes(utf8Encode('fastness/disk/1\n'), u32be(5 << 20), new Uint8Array(8192)));
    expect(await codeOf(read(path))).toBe('MODEL_DISK_INDEX');
  });

  it('is not written from links or from nothing, and leaves nothing behind', async () => {
    const target = join(await fresh(), 'disk');
    const linked = await source();
    await symlink('/etc/hostname', join(linked, 'link'));
    expect(await codeOf(writeModelDisk({ directory: linked, target }))).toBe('MODEL_DISK_SOURCE');
    expect(await codeOf(writeModelDisk({ directory: join(base, 'missing'), target }))).toBe('MODEL_DISK_SOURCE');
    expect(await codeOf(writeModelDisk({ directory: await fresh(), target }))).toBe('MODEL_DISK_INDEX');
    expect(await readdir(dirname(target))).toEqual([]);
  });
});
