import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '@fastness/codec/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSealedModel, sealModel, verifySealedFiles } from '../src/index.ts';
import { codeOf } from './support/expect-code.ts';
import { bytes, listTree, newWorkspace, writeTree, type Workspace } from './support/workspace.ts';

interface Resource {
  readonly name: string;
  readonly digest: string;
}

let work: Workspace;
let dir: string;
let resources: Resource[];

const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

function digestAll(): Resource[] {
  return listTree(dir).flatMap((name) =>
    ['keys.json', 'model.sig', 'access.json'].includes(name) || /^(approvals|owners)\//.test(name)
      ? []
      : [{ name, digest: sha256(readFileSync(join(dir, name))) }],
  );
}

/** The same as shards of `size` bytes. */
function shardAll(size: number): Resource[] {
  return digestAll().flatMap(({ name }) => {
    const content = readFileSync(join(dir, name));
    return Array.from({ length: Math.ceil(content.length / size) }, (_, index) => {
      const end = Math.min((index + 1) * size, content.length);
      return { name: `${name}:${index * size}:${end}`, digest: sha256(content.subarray(index * size, end)) };
    });
  });
}

beforeEach(async () => {
  work = await newWorkspace();
  await prepare(200_000);
});
afterEach(() => work[Symbol.asyncDispose]());

/** A sealed model whose largest file has `size` bytes, and its resources. */
async function prepare(size: number): Promise<void> {
  dir = join(work.dir, `sealed${size}`);
  const source = join(work.dir, `source${size}`);
  writeTree(source, { 'a.bin': bytes(size), 'b/c.bin': bytes(30_000), 'b/d.bin': bytes(0) });
  const { keyStore } = work;
  const model = { modelId: 'm', engine: 'onnx', task: 'embed' } as const;
  await sealModel({ ...model, source, target: dir, keyStore, kekId: 'kek' });
  writeTree(dir, {
    'release.json': bytes(10),
    'model.sig': bytes(10),
    'approvals/ann.json': bytes(10),
    'owners/2.json': bytes(10),
    'access.json': bytes(10),
  });
  resources = digestAll();
}

const refusal = (overrides: Partial<Parameters<typeof verifySealedFiles>[0]> = {}): Promise<ErrorCode> =>
  codeOf(() => verifySealedFiles({ dir, resources, ...overrides }));

describe('verifySealedFiles', () => {
  it.each([1, 2, 4])('accepts what was signed, with %i threads', async (threads) => {
    await prepare(40 * 1024 * 1024);
    const progress: [number, number][] = [];
    await verifySealedFiles({ dir, resources, threads, onProgress: (done, total) => progress.push([done, total]) });
    const total = resources.reduce((sum, { name }) => sum + readFileSync(join(dir, name)).length, 0);
    expect(progress.at(-1)).toEqual([total, total]);
  });

  it('accepts shards', async () => {
    await verifySealedFiles({ dir, resources: shardAll(10_000), method: 'shards' });
    await verifySealedFiles({ dir, resources: shardAll(1_000_000_000), method: 'shards' });
  });

  it('does not look at what rotation and approval change', async () => {
    for (const name of ['keys.json', 'model.sig', 'approvals/ann.json', 'approvals/bob.json']) {
      writeFileSync(join(dir, name), bytes(20));
    }
    await verifySealedFiles({ dir, resources });
  });

  it('refuses a changed byte in any file', async () => {
    for (const { name } of resources) {
      const content = readFileSync(join(dir, name));
      const at = Math.floor(content.length / 2);
      content[at] = (content[at] ?? 0) ^ 1;
      writeFileSync(join(dir, name), content);
      expect(await refusal(), name).toBe('OMS_DIGEST_MISMATCH');
      expect(await refusal({ method: 'shards', resources: shardAll(10_000).with(0, shardZero()) })).toBe(
        'OMS_DIGEST_MISMATCH',
      );
      content[at] = (content[at] ?? 0) ^ 1;
      writeFileSync(join(dir, name), content);
    }
    await verifySealedFiles({ dir, resources });
  });

  function shardZero(): Resource {
    return { name: shardAll(10_000)[0]?.name ?? '', digest: '00'.repeat(32) };
  }

  it('refuses a longer, a shorter, a missing and an additional file', async () => {
    const path = join(dir, 'files/b/c.bin.floe');
    const shards = shardAll(10_000);
    appendFileSync(path, 'x');
    expect(await refusal()).toBe('OMS_DIGEST_MISMATCH');
    expect(await refusal({ method: 'shards', resources: shards })).toBe('OMS_DIGEST_MISMATCH');
    writeFileSync(path, readFileSync(path).subarray(0, 100));
    expect(await refusal()).toBe('OMS_DIGEST_MISMATCH');
    expect(await refusal({ method: 'shards', resources: shards })).toBe('OMS_DIGEST_MISMATCH');
    rmSync(path);
    expect(await refusal()).toBe('OMS_MISSING_FILE');
  });

  it.each(['files/extra.floe', 'extra.txt', '.gitignore', '.git/config', 'keys.json.bak', 'files/keys.json'])(
    'refuses %s, which nobody signed',
    async (name) => {
      writeTree(dir, { [name]: bytes(1) });
      expect(await refusal()).toBe('OMS_UNSIGNED_FILE');
    },
  );

  it('refuses links, pipes and names that lead outside', async () => {
    const path = join(dir, 'files/b/c.bin.floe');
    renameSync(path, join(work.dir, 'c'));
    symlinkSync(join(work.dir, 'c'), path);
    expect(await refusal()).toBe('OMS_SYMLINK');
    rmSync(path);
    execFileSync('mkfifo', [path]);
    expect(await refusal()).toBe('OMS_SPECIAL_FILE');
    rmSync(path);
    renameSync(join(work.dir, 'c'), path);
    renameSync(join(dir, 'files/b'), join(work.dir, 'b'));
    symlinkSync(join(work.dir, 'b'), join(dir, 'files/b'));
    expect(await refusal()).toBe('OMS_SYMLINK');
    rmSync(join(dir, 'files/b'));
    renameSync(join(work.dir, 'b'), join(dir, 'files/b'));
    expect(await refusal({ resources: [...resources, { name: '../keys.store', digest: '00'.repeat(32) }] })).toBe(
      'OMS_MISSING_FILE',
    );
  });

  it('refuses shards that leave a gap, overlap, or end early', async () => {
    const shards = shardAll(10_000);
    expect(await refusal({ method: 'shards', resources: shards.toSpliced(1, 1) })).toBe('OMS_RESOURCE_NAME');
    expect(await refusal({ method: 'shards', resources: shards.toSpliced(1, 0, ...shards.slice(0, 1)) })).toBe(
      'OMS_RESOURCE_NAME',
    );
    expect(await refusal({ resources: [...resources, ...resources.slice(0, 1)] })).toBe('OMS_RESOURCE_NAME');
    const last = shards.findLastIndex(({ name }) => name.startsWith('files/a.bin'));
    expect(await refusal({ method: 'shards', resources: shards.toSpliced(last, 1) })).toBe('OMS_DIGEST_MISMATCH');
  });

  it('stops when cancelled', async () => {
    expect(await refusal({ signal: AbortSignal.abort() })).toBe('SEAL_CANCELLED');
    const controller = new AbortController();
    expect(await refusal({ signal: controller.signal, onProgress: () => controller.abort() })).toBe('SEAL_CANCELLED');
  });

  it('agrees with the manifest', async () => {
    const { manifest } = await readSealedModel(dir);
    for (const { sealedPath } of manifest.files) {
      expect(resources.map(({ name }) => name)).toContain(sealedPath);
    }
  });
});
