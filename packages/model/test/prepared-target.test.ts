import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createThreadPool, floeEncrypt, openSealedFile, prepareTarget, sealModel } from '../src/index.ts';
import { copyIntoMemory } from '../src/threads/file-memory.ts';
import { codeOf } from './support/expect-code.ts';
import { openModel } from './support/open-model.ts';
import { bytes, newWorkspace } from './support/workspace.ts';

const MiB = 1024 * 1024;
const tmpfs = '/dev/shm';
const isTmpfs = (path: string): boolean => {
  try {
    return statfsSync(path).type === 0x01021994;
  } catch {
    return false;
  }
};

const key = bytes(32);
const aad = bytes(20);
/** Large enough for two helpers, and no multiple of any page. */
const size = 40 * MiB + 12_345;
const plaintext = bytes(size);

/** An ordinary user may make a file system of its own only where user namespaces are allowed. */
function inNamespace(command: string): string | undefined {
  try {
    return execFileSync('unshare', ['-Urm', 'sh', '-c', command], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch {
    return undefined;
  }
}
const canMount = inNamespace('mount -t tmpfs tmpfs /mnt && echo yes') === 'yes\n';

// Memory files are prepared on Linux 6.1 and later only; elsewhere they are written, which open-file.test.ts covers.
const canPrepare = await (async () => {
  if (process.platform !== 'linux' || !isTmpfs(tmpfs)) return false;
  const dir = mkdtempSync(join(tmpfs, 'fastness-test-'));
  const fd = openSync(join(dir, 'probe'), 'w+');
  try {
    using target = await prepareTarget({ fd, size: 8 * MiB });
    return target !== undefined;
  } finally {
    closeSync(fd);
    rmSync(dir, { recursive: true });
  }
})();

describe.skipIf(!canPrepare)('a target in memory', () => {
  let dir: string;
  let sealedPath: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpfs, 'fastness-test-'));
    sealedPath = join(dir, 'a.floe');
    writeFileSync(sealedPath, floeEncrypt(plaintext, { key, aad }));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const target = (): number => openSync(join(dir, 'plaintext'), 'w+');
  const content = (): Buffer => readFileSync(join(dir, 'plaintext'));
  const isMapped = (): boolean => readFileSync('/proc/self/maps', 'latin1').includes(join(dir, 'plaintext'));

  it('is prepared as zeros of the size asked for, whatever it held', async () => {
    const fd = target();
    writeFileSync(fd, bytes(50 * MiB));
    using prepared = await prepareTarget({ fd, size, threads: 2 });
    expect(prepared).toBeDefined();
    expect(isMapped()).toBe(true);
    expect(content()).toHaveLength(size);
    expect(content().every((byte) => byte === 0)).toBe(true);
    // Every page is there: nothing that is written later can fail for want of one.
    expect(fstatSync(fd).blocks * 512).toBeGreaterThanOrEqual(size);
    prepared?.[Symbol.dispose]();
    expect(isMapped()).toBe(false);
    closeSync(fd);
  });

  it.each([1, 2, 3])(
    'is opened into by %i threads, prepared ahead or not, and no longer mapped then',
    async (threads) => {
      await using pool = createThreadPool(threads);
      for (const ahead of [true, false]) {
        const fd = target();
        const prepared = ahead ? await prepareTarget({ fd, size, pool }) : undefined;
        await openSealedFile({ sealedPath, key, aad, expectedSize: size, fd, prepared, pool });
        expect(isMapped()).toBe(false);
        expect(Buffer.compare(content(), plaintext)).toBe(0);
        closeSync(fd);
      }
    },
  );

  it('is left empty and unmapped by every failure', async () => {
    const damaged = join(dir, 'damaged.floe');
    const copy = readFileSync(sealedPath);
    copy.writeUInt8(copy.readUInt8(30 * MiB) ^ 1, 30 * MiB);
    writeFileSync(damaged, copy);
    const cancelled = new AbortController();
    const failures = {
      FLOE_SEGMENT_TAG: { sealedPath: damaged },
      SEAL_CANCELLED: { signal: cancelled.signal, onProgress: () => cancelled.abort() },
      FLOE_TRUNCATED: { expectedSize: size + 1 },
      FLOE_TRAILING: { expectedSize: size - 1 },
    };
    for (const [code, change] of Object.entries(failures)) {
      const fd = target();
      const prepared = await prepareTarget({ fd, size });
      const options = { sealedPath, key, aad, expectedSize: size, fd, prepared, ...change };
      expect(await codeOf(() => openSealedFile(options))).toBe(code);
      expect(fstatSync(fd).size).toBe(0);
      expect(isMapped()).toBe(false);
      closeSync(fd);
    }
  });

  it('is not taken for another file or size', async () => {
    const [fd, other] = [target(), openSync(join(dir, 'other'), 'w+')];
    for (const prepared of [await prepareTarget({ fd: other, size }), await prepareTarget({ fd, size: size + 1 })]) {
      const options = { sealedPath, key, aad, expectedSize: size, fd, prepared };
      expect(await codeOf(() => openSealedFile(options))).toBe('FLOE_SEGMENT_RANGE');
    }
    closeSync(fd);
    closeSync(other);
  });

  it('is not prepared once that is cancelled', async () => {
    const fd = target();
    expect(await codeOf(() => prepareTarget({ fd, size, signal: AbortSignal.abort() }))).toBe('SEAL_CANCELLED');
    expect(isMapped()).toBe(false);
    closeSync(fd);
  });

  it('is written within its bounds only', async () => {
    const fd = target();
    using prepared = await prepareTarget({ fd, size });
    for (const offset of [-1, size, size - 3, 0.5, Number.NaN]) {
      expect(await codeOf(() => prepared && copyIntoMemory(prepared.memory, bytes(4), offset))).toBe('SEAL_WORKER');
    }
    closeSync(fd);
  });

  it('is not prepared where it gains nothing: too small, read-only, on a disk', async () => {
    const fd = target();
    expect(await prepareTarget({ fd, size: MiB })).toBeUndefined();
    expect(fstatSync(fd).size).toBe(MiB);
    closeSync(fd);
    const writeOnly = openSync(join(dir, 'plaintext'), 'w');
    expect(await prepareTarget({ fd: writeOnly, size })).toBeUndefined();
    closeSync(writeOnly);
    if (isTmpfs(tmpdir())) return;
    const path = join(tmpdir(), `fastness-test-${process.pid}`);
    const onDisk = openSync(path, 'w+');
    expect(await prepareTarget({ fd: onDisk, size })).toBeUndefined();
    closeSync(onDisk);
    rmSync(path);
  });

  it.skipIf(!canMount)('on a full file system is refused, without a signal', () => {
    const script = `
      import { openSync } from 'node:fs';
      import { prepareTarget } from '@fastness/model';
      await prepareTarget({ fd: openSync('/mnt/target', 'w+'), size: ${size}, threads: 2 }).then(
        () => console.log('prepared'), (error) => console.log(error.code, error.detail));`;
    const node = `cd ${JSON.stringify(import.meta.dirname)} && ${JSON.stringify(process.execPath)}`;
    const run = `${node} --conditions=source --input-type=module -e '${script.replaceAll("'", String.raw`'\''`)}'`;
    expect(inNamespace(`mount -t tmpfs -o size=24m tmpfs /mnt && ${run}`)).toBe('SEAL_IO (ENOSPC)\n');
  });

  it('holds a model that is sealed there', async () => {
    await using work = await newWorkspace();
    const source = join(work.dir, 'weights.bin');
    writeFileSync(source, plaintext);
    const sealed = join(dir, 'sealed');
    const model = { modelId: 'm', engine: 'llama', task: 'generate', keyStore: work.keyStore, kekId: 'kek' } as const;
    const manifest = await sealModel({ ...model, source, target: sealed, threads: 2 });
    expect(statSync(join(sealed, 'files/weights.bin.floe')).size).toBe(manifest.files[0]?.sealedSize);
    const opened = await openModel(sealed, work.keyStore);
    expect(Buffer.compare(opened['weights.bin'] ?? Buffer.alloc(0), plaintext)).toBe(0);
    expect(readFileSync('/proc/self/maps', 'latin1')).not.toContain(dir);
  });
});
