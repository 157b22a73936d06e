import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSealedModel, sealModel, type Manifest } from '../src/index.ts';
import { newOwnerTag, ownerIsGone } from '../src/seal/owner-tag.ts';
import { createStaging, moveIntoPlace, recoverTarget, targetOf } from '../src/seal/staging.ts';
import { codeOf } from './support/expect-code.ts';
import { openModel } from './support/open-model.ts';
import { bytes, listTree, newWorkspace, snapshot, writeTree, type Workspace } from './support/workspace.ts';

let work: Workspace;
let source: string;
let target: string;

beforeEach(async () => {
  work = await newWorkspace();
  source = join(work.dir, 'source');
  target = join(work.dir, 'sealed');
  writeTree(source, { 'a.bin': bytes(3_000_000), 'b/c.bin': bytes(200_000), 'b/d.bin': bytes(10) });
});
afterEach(() => work[Symbol.asyncDispose]());

function seal(modelId = 'old'): Promise<Manifest> {
  const model = { modelId, engine: 'onnx', task: 'embed' } as const;
  return sealModel({ ...model, source, target, keyStore: work.keyStore, kekId: 'kek', segmentSize: 65_536 });
}

/** What lies beside the target. */
function beside(): string[] {
  return readdirSync(work.dir).filter((name) => name.startsWith('.'));
}

function startChild(modelId: string): ChildProcessWithoutNullStreams {
  const script = join(import.meta.dirname, 'support/seal-child.ts');
  const child = spawn(process.execPath, ['--conditions=source', script, source, target, modelId, work.keyStorePath]);
  child.stdin.end(Buffer.from(work.passphrase).toString('hex'));
  return child;
}

/** Every byte that any folder beside the target holds, other than the source and the key store. */
function checkNoPlaintext(): void {
  const needle = readFileSync(join(source, 'b/c.bin')).subarray(0, 32);
  for (const path of listTree(work.dir).filter((name) => !name.startsWith('source') && name !== 'keys.store')) {
    expect(readFileSync(join(work.dir, path)).includes(needle), path).toBe(false);
  }
}

/** The sealed model is whole: every listed file is there, nothing else, and opens. Returns the model's id. */
async function checkWhole(): Promise<string> {
  const model = await readSealedModel(target);
  const listed = model.manifest.files.map(({ sealedPath }) => sealedPath);
  expect(listTree(target)).toEqual(['keys.json', 'manifest.json', ...listed].sort());
  for (const { path, sealedSize } of model.manifest.files) {
    expect(readFileSync(model.file(path).absolutePath)).toHaveLength(sealedSize);
  }
  const opened = await openModel(target, work.keyStore);
  for (const [path, content] of Object.entries(opened)) {
    expect(Buffer.compare(content, readFileSync(join(source, path))), path).toBe(0);
  }
  return model.manifest.modelId;
}

describe('a sealing process killed with SIGKILL', () => {
  it('leaves the old model, the new one, or one that is put back on reading', { timeout: 600_000 }, async () => {
    await seal('old');
    const seen = new Set<string>();
    for (let run = 0; run < 30; run += 1) {
      const child = startChild('new');
      await once(child.stdout, 'data');
      // A sealing takes some 40 ms here; the moments fall all over the first few.
      await sleep(Math.random() * 100);
      child.kill('SIGKILL');
      await once(child, 'exit');
      checkNoPlaintext();
      seen.add(await checkWhole());
      if (run % 5 === 4) {
        await seal('old');
        expect(beside()).toEqual([]);
        expect(await checkWhole()).toBe('old');
      }
    }
    expect([...seen].every((modelId) => modelId === 'old' || modelId === 'new')).toBe(true);
  });

  it('leaves no target where there was none', async () => {
    for (let run = 0; run < 5; run += 1) {
      const child = startChild('new');
      await once(child.stdout, 'data');
      await sleep(Math.random() * 30);
      child.kill('SIGKILL');
      await once(child, 'exit');
      checkNoPlaintext();
      if (existsSync(target)) expect(await checkWhole()).toBe('new');
      rmSync(target, { recursive: true, force: true });
    }
  });
});

describe('an interrupted replacement', () => {
  /** The state between the two renames: the old one moved aside, the new one whole under its temporary name. */
  async function interrupt(): Promise<void> {
    await seal('new');
    renameSync(target, join(work.dir, '.sealed.sealing-aaaaaaaa-bbbbbbbb-1-1-cccccccc'));
    await seal('old');
    renameSync(target, join(work.dir, '.sealed.replaced'));
  }

  it('is undone by the next reader', async () => {
    await interrupt();
    expect((await readSealedModel(target)).manifest.modelId).toBe('old');
    expect(await checkWhole()).toBe('old');
  });

  it('is undone by the next sealing, which then replaces it', async () => {
    await interrupt();
    await seal('newest');
    expect(await checkWhole()).toBe('newest');
    // The temporary folder names a process of another machine: not ours to delete.
    expect(beside()).toEqual(['.sealed.sealing-aaaaaaaa-bbbbbbbb-1-1-cccccccc']);
  });

  it('after the second rename is completed by the next sealing', async () => {
    await seal('old');
    renameSync(target, join(work.dir, '.sealed.replaced'));
    // Not `seal`, which would undo it first.
    cpSync(join(work.dir, '.sealed.replaced'), target, { recursive: true });
    await seal('newest');
    expect(await checkWhole()).toBe('newest');
    expect(beside()).toEqual([]);
  });

  it('while still going on is not disturbed by a reader', async () => {
    await seal('old');
    renameSync(target, join(work.dir, '.sealed.replaced'));
    cpSync(join(work.dir, '.sealed.replaced'), join(work.dir, 'new'), { recursive: true });
    const reading = readSealedModel(target);
    // The reader waits for longer than this; the rename itself happens before it can look again.
    await sleep(5);
    renameSync(join(work.dir, 'new'), target);
    expect((await reading).manifest.modelId).toBe('old');
    expect(beside()).toEqual(['.sealed.replaced']);
  });
});

describe('two sealings of one target', () => {
  it('at once: the target is one of them, whole', async () => {
    await seal('first');
    const results = await Promise.allSettled(['a', 'b', 'c', 'd'].map((modelId) => seal(modelId)));
    const done = results.filter(({ status }) => status === 'fulfilled');
    expect(done.length).toBeGreaterThan(0);
    for (const result of results) {
      if (result.status === 'rejected')
        expect(await codeOf(() => Promise.reject(result.reason))).toBe('SEAL_TARGET_BUSY');
    }
    expect(['a', 'b', 'c', 'd']).toContain(await checkWhole());
    await seal('last');
    expect(beside()).toEqual([]);
  });

  it('never move over what another put there meanwhile', async () => {
    const place = await targetOf(target);
    const staging = await createStaging(place);
    writeFileSync(join(staging, 'manifest.json'), 'mine');
    writeTree(target, { 'manifest.json': bytes(5) });
    const before = snapshot(target);
    expect(await codeOf(() => moveIntoPlace(staging, place, false))).toBe('SEAL_TARGET_BUSY');
    mkdirSync(join(work.dir, '.sealed.replaced/x'), { recursive: true });
    expect(await codeOf(() => moveIntoPlace(staging, place, true))).toBe('SEAL_TARGET_BUSY');
    expect(snapshot(target)).toEqual(before);
  });
});

describe('temporary folders', () => {
  it('of live processes and of other machines stay, of dead ones go', async () => {
    const place = await targetOf(target);
    const [machine, boot, pid, start, random] = newOwnerTag().split('-');
    const tags = {
      alive: newOwnerTag(),
      dead: [machine, boot, '4194304', start, random].join('-'),
      reused: [machine, boot, pid, '1', random].join('-'),
      rebooted: [machine, '12345678', pid, start, random].join('-'),
      elsewhere: ['12345678', boot, '4194304', start, random].join('-'),
      strange: 'x',
      unknownStart: [machine, boot, '4194304', 'x', random].join('-'),
    };
    for (const tag of Object.values(tags)) {
      writeTree(join(work.dir, `.sealed.sealing-${tag}`), { x: bytes(1) });
      writeTree(join(work.dir, `.sealed.discarded-${tag}`), { x: bytes(1) });
    }
    writeTree(join(work.dir, `.other.sealing-${tags.dead}`), { x: bytes(1) });
    await recoverTarget(place);
    const left = [tags.alive, tags.elsewhere, tags.strange, tags.unknownStart];
    expect(beside().sort()).toEqual(
      [
        `.other.sealing-${tags.dead}`,
        ...left.flatMap((tag) => [`.sealed.sealing-${tag}`, `.sealed.discarded-${tag}`]),
      ].sort(),
    );
  });

  it('do not tell the name of the machine', () => {
    expect(newOwnerTag()).not.toContain(hostname());
    expect(ownerIsGone(newOwnerTag())).toBe(false);
  });
});
