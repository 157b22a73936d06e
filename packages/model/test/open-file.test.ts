import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '@fastness/codec/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createThreadPool, floeEncrypt, openSealedFile, type ThreadPool } from '../src/index.ts';
import { codeOf } from './support/expect-code.ts';
import { openFile } from './support/open-model.ts';
import { bytes, newWorkspace, type Workspace } from './support/workspace.ts';

const MiB = 1024 * 1024;
const key = bytes(32);
const aad = bytes(20);
const segmentSize = 256 * 1024;
/** Large enough for three helpers, with a last segment that is not full. */
const size = 64 * MiB + 12_345;
const plaintext = bytes(size);

let work: Workspace;
let sealedPath: string;
let sealed: Uint8Array;

beforeAll(async () => {
  work = await newWorkspace();
  sealedPath = join(work.dir, 'a.floe');
  sealed = floeEncrypt(plaintext, { key, aad, segmentSize });
});
afterAll(() => work[Symbol.asyncDispose]());

/** Opens `content` with these changes; the code it is refused with, and that the target is left empty. */
async function refusal(
  content: Uint8Array,
  overrides: Partial<Parameters<typeof openSealedFile>[0]> = {},
): Promise<ErrorCode> {
  writeFileSync(sealedPath, content);
  const fd = openSync(join(work.dir, 'plaintext'), 'w+');
  try {
    return await codeOf(() => openSealedFile({ sealedPath, key, aad, expectedSize: size, fd, ...overrides }));
  } finally {
    expect(fstatSync(fd).size).toBe(0);
    closeSync(fd);
  }
}

function changed(change: (copy: Uint8Array) => void): Uint8Array {
  const copy = sealed.slice();
  change(copy);
  return copy;
}

const segmentAt = (position: number): number => 74 + position * segmentSize;

describe('openSealedFile', () => {
  it.each([1, 2, 4])('opens with %i threads', async (threads) => {
    writeFileSync(sealedPath, sealed);
    const opened = await openFile({ sealedPath, key, aad, expectedSize: size, threads });
    expect(Buffer.compare(opened, plaintext)).toBe(0);
  });

  it('cuts a target that was longer, and reports progress', async () => {
    writeFileSync(sealedPath, sealed);
    const path = join(work.dir, 'longer');
    writeFileSync(path, bytes(size + MiB));
    const fd = openSync(path, 'r+');
    const progress: number[] = [];
    await openSealedFile({ sealedPath, key, aad, expectedSize: size, fd, onProgress: (done) => progress.push(done) });
    closeSync(fd);
    expect(Buffer.compare(readFileSync(path), plaintext)).toBe(0);
    expect(progress.at(-1)).toBe(size);
    expect(progress).toEqual(progress.toSorted((left, right) => left - right));
  });

  it('opens an empty file', async () => {
    writeFileSync(sealedPath, floeEncrypt(new Uint8Array(), { key, aad }));
    expect(await openFile({ sealedPath, key, aad, expectedSize: 0 })).toHaveLength(0);
  });

  it('keeps its memory while the file grows', async () => {
    const path = join(work.dir, 'memory.floe');
    writeFileSync(path, sealed);
    const script = `
      import { openSync } from 'node:fs';
      import { openSealedFile } from '@fastness/model';
      const fd = openSync(process.argv[2], 'w+');
      let peak = 0;
      await openSealedFile({ sealedPath: process.argv[1], key: Buffer.from(process.argv[3], 'hex'),
        aad: Buffer.from(process.argv[4], 'hex'), expectedSize: ${size}, threads: 1, fd,
        onProgress: () => { peak = Math.max(peak, process.memoryUsage().arrayBuffers); } });
      console.log(peak);`;
    const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
    const output = execFileSync(
      process.execPath,
      ['--conditions=source', '--input-type=module', '-e', script, path, join(work.dir, 'out'), hex(key), hex(aad)],
      { cwd: import.meta.dirname, encoding: 'utf8' },
    );
    expect(Number(output)).toBeLessThan(8 * MiB);
  });
});

describe.each([1, 4])('openSealedFile with %i threads refuses', (threads) => {
  const refused = (content: Uint8Array, overrides: Parameters<typeof refusal>[1] = {}): Promise<ErrorCode> =>
    refusal(content, { threads, ...overrides });

  it('a changed byte in the first, a middle and the last segment', async () => {
    for (const position of [0, 100, Math.floor(size / (segmentSize - 32))]) {
      const content = changed((copy) =>
        copy.set([(copy[segmentAt(position) + 100] ?? 0) ^ 1], segmentAt(position) + 100),
      );
      expect(await refused(content)).toBe('FLOE_SEGMENT_TAG');
    }
  });

  it('the same segment first, whichever thread meets which', async () => {
    const content = changed((copy) => {
      // The earlier fault has a code of its own: it is the one to be reported, every time.
      copy.set([0, 0, 0, 0], segmentAt(20));
      for (let position = 21; position < 250; position += 1)
        copy.fill(0, segmentAt(position) + 4, segmentAt(position) + 20);
    });
    for (let run = 0; run < 5; run += 1) expect(await refused(content)).toBe('FLOE_SEGMENT_LENGTH');
  });

  it('swapped segments', async () => {
    const content = changed((copy) => {
      copy.copyWithin(segmentAt(7), segmentAt(8), segmentAt(9));
      copy.set(sealed.subarray(segmentAt(7), segmentAt(8)), segmentAt(8));
    });
    expect(await refused(content)).toBe('FLOE_SEGMENT_TAG');
  });

  it('missing and appended bytes', async () => {
    expect(await refused(sealed.slice(0, 40))).toBe('FLOE_TRUNCATED');
    expect(await refused(sealed.slice(0, 74))).toBe('FLOE_TRUNCATED');
    expect(await refused(sealed.slice(0, segmentAt(3)))).toBe('FLOE_TRUNCATED');
    expect(await refused(sealed.slice(0, -1))).toBe('FLOE_TRUNCATED');
    expect(await refused(Buffer.concat([sealed, bytes(1)]))).toBe('FLOE_TRAILING');
    expect(await refused(Buffer.concat([sealed, sealed.subarray(segmentAt(0), segmentAt(1))]))).toBe('FLOE_TRAILING');
  });

  it('another size than the manifest’s', async () => {
    expect(await refused(sealed, { expectedSize: size + 1 })).toBe('FLOE_TRUNCATED');
    expect(await refused(sealed, { expectedSize: size - 1 })).toBe('FLOE_TRAILING');
    expect(await refused(sealed, { expectedSize: -1 })).toBe('FLOE_SEGMENT_RANGE');
  });

  it('another key, other associated data, another segment size', async () => {
    expect(await refused(sealed, { key: bytes(32) })).toBe('FLOE_HEADER_TAG');
    expect(await refused(sealed, { aad: bytes(20) })).toBe('FLOE_HEADER_TAG');
    expect(await refused(sealed, { key: bytes(16) })).toBe('FLOE_KEY_LENGTH');
    expect(await refused(sealed, { expectedSegmentSize: MiB })).toBe('FLOE_PARAMETERS');
  });

  it('a file that is cut while it is read', async () => {
    const onProgress = (): void => truncateSync(sealedPath, segmentAt(1) + 5);
    expect(await refused(sealed, { onProgress })).toBe('FLOE_TRUNCATED');
  });

  it('to go on once cancelled', async () => {
    expect(await refused(sealed, { signal: AbortSignal.abort() })).toBe('SEAL_CANCELLED');
    const controller = new AbortController();
    expect(await refused(sealed, { signal: controller.signal, onProgress: () => controller.abort() })).toBe(
      'SEAL_CANCELLED',
    );
  });
});

describe('openSealedFile refuses in place of a file', () => {
  const open = (path: string): Promise<ErrorCode> =>
    codeOf(() => openFile({ sealedPath: path, key, aad, expectedSize: size }));

  it('nothing, a link, a folder, a pipe and a device', async () => {
    expect(await open(join(work.dir, 'nowhere'))).toBe('MODEL_FILE_MISSING');
    symlinkSync(sealedPath, join(work.dir, 'link.floe'));
    expect(await open(join(work.dir, 'link.floe'))).toBe('MODEL_FILE_MISSING');
    expect(await open(work.dir)).toBe('MODEL_FILE_MISSING');
    execFileSync('mkfifo', [join(work.dir, 'pipe')]);
    expect(await open(join(work.dir, 'pipe'))).toBe('MODEL_FILE_MISSING');
    expect(await open('/dev/zero')).toBe('MODEL_FILE_MISSING');
  });

  it('a target that cannot be written', async () => {
    writeFileSync(sealedPath, sealed);
    const fd = openSync('/dev/full', 'w');
    expect(await codeOf(() => openSealedFile({ sealedPath, key, aad, expectedSize: size, fd }))).toBe('SEAL_IO');
    closeSync(fd);
    const readOnly = openSync(sealedPath, 'r');
    expect(await codeOf(() => openSealedFile({ sealedPath, key, aad, expectedSize: size, fd: readOnly }))).toBe(
      'SEAL_IO',
    );
    closeSync(readOnly);
    expect(statSync(sealedPath).size).toBe(sealed.length);
  });
});

describe('a thread pool', () => {
  it('serves several files, also at once, and after a failure', async () => {
    await using pool: ThreadPool = createThreadPool(3);
    writeFileSync(sealedPath, sealed);
    const damaged = join(work.dir, 'damaged.floe');
    writeFileSync(
      damaged,
      changed((copy) => copy.set([1, 2, 3], segmentAt(50) + 50)),
    );
    const open = (path: string): Promise<Uint8Array> =>
      openFile({ sealedPath: path, key, aad, expectedSize: size, pool });
    const results = await Promise.allSettled([open(sealedPath), open(damaged), open(sealedPath)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    for (const result of results) {
      if (result.status === 'fulfilled') expect(Buffer.compare(result.value, plaintext)).toBe(0);
    }
    rmSync(damaged);
  });

  it('reports a fault of its own as one', async () => {
    await using pool = createThreadPool(2);
    const fd = openSync(sealedPath, 'r');
    // Nowhere to put the digest.
    const job = { kind: 'hash', ranges: [{ fd, start: 0, end: 1 }], digests: new Uint8Array() } as const;
    expect(await codeOf(() => pool.run(job, {}))).toBe('SEAL_WORKER');
    closeSync(fd);
    expect(await codeOf(() => pool.run({ ...job, ranges: [{ fd: 9999, start: 0, end: 1 }] }, {}))).toBe('SEAL_IO');
  });

  it('has a bound', async () => {
    for (const threads of [0, -1, 65, Number.NaN, 1.5]) {
      expect(await codeOf(() => createThreadPool(threads))).toBe('SEAL_THREADS');
    }
  });
});
