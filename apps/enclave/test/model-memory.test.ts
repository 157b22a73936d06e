import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSoftwareKeyStore, type KeyStore } from '@fastness/keys';
import { readSealedModel, rootKeyContext, sealModel, type Manifest } from '@fastness/model';
import { reserveMemory, type ModelMemory } from '../src/boot/model-memory.ts';
import { openModel } from '../src/boot/open-model.ts';
import { codeOfAsync } from './codes.ts';

/** Large enough to be prepared, and one that is not. */
const content = { 'weights.bin': randomBytes(20 * 1024 * 1024 + 77), 'tokenizer.json': randomBytes(1000) };

let work: string;
let keyStore: KeyStore;
let manifest: Manifest;
const dir = (): string => join(work, 'sealed');

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'fastness-memory-'));
  const source = mkdtempSync(join(work, 'source-'));
  for (const [name, bytes] of Object.entries(content)) writeFileSync(join(source, name), bytes);
  keyStore = await createSoftwareKeyStore({ path: join(work, 'keys'), passphrase: randomBytes(32) });
  await keyStore.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
  const model = { modelId: 'm', engine: 'llama', task: 'generate', keyStore, kekId: 'kek' } as const;
  manifest = await sealModel({ ...model, source, target: dir() });
});
afterAll(async () => {
  await keyStore[Symbol.asyncDispose]();
  rmSync(work, { recursive: true });
});

const signal = new AbortController().signal;
const reserve = (): ModelMemory => reserveMemory({ sealed: { dir: dir(), manifest }, signal });

async function rootKey(): Promise<Uint8Array> {
  const { wrappedRoot } = await readSealedModel(dir());
  return keyStore.unwrap(wrappedRoot, rootKeyContext(manifest));
}

/** Memory files of models that this process has open or mapped. */
function held(): string[] {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  const maps = readFileSync('/proc/self/maps', 'latin1').split('\n');
  return [...links, ...maps].filter((line) => line.includes('memfd:fastness-model'));
}

describe('memory for a model', () => {
  it('is there before the key is, takes the model, and is sealed', async () => {
    const memory = reserve();
    const prepared = await memory.prepared;
    expect([...memory.files.keys()]).toEqual(['tokenizer.json', 'weights.bin']);
    expect([...prepared.keys()].filter((path) => path !== 'weights.bin')).toEqual([]);
    const root = await rootKey();
    const model = await openModel({ sealed: { dir: dir(), manifest }, root, memory, lock: false, signal });
    expect(root.every((byte) => byte === 0)).toBe(true);
    for (const [name, bytes] of Object.entries(content)) {
      expect(Buffer.compare(model.files.get(name)?.read() ?? Buffer.alloc(0), bytes)).toBe(0);
    }
    expect(held()).toHaveLength(2);
    model.close();
    expect(held()).toEqual([]);
  });

  it('is given back when no key comes, also while it is being prepared', async () => {
    const memory = reserve();
    await memory.close();
    expect(await codeOfAsync(memory.prepared)).toBe('SEAL_CANCELLED');
    const ready = reserve();
    await ready.prepared;
    await ready.close();
    await ready.close();
    expect(held()).toEqual([]);
  });

  it('is no more than the ciphertext says, whatever the manifest does', async () => {
    const files = manifest.files.map((file) => ({ ...file, size: 2 ** 45, sealedSize: 2 ** 45 + 2 ** 31 }));
    const memory = reserveMemory({ sealed: { dir: dir(), manifest: { ...manifest, files } }, signal });
    expect((await memory.prepared).size).toBe(0);
    expect([...memory.files.values()].map((file) => file.size())).toEqual([0, 0]);
    await memory.close();
  });

  it('is given back when the model does not open, and the key is wiped', async () => {
    const sealed = join(dir(), 'files/weights.bin.floe');
    const before = readFileSync(sealed);
    truncateSync(sealed, before.length - 1);
    const [root, wrong] = [await rootKey(), new Uint8Array(32).fill(1)];
    const open = (key: Uint8Array): Promise<unknown> =>
      openModel({ sealed: { dir: dir(), manifest }, root: key, memory: reserve(), lock: false, signal });
    expect(await codeOfAsync(open(root))).toBe('FLOE_TRUNCATED');
    writeFileSync(sealed, before);
    expect(await codeOfAsync(open(wrong))).toBe('FLOE_HEADER_TAG');
    for (const key of [root, wrong]) expect(key.every((byte) => byte === 0)).toBe(true);
    expect(held()).toEqual([]);
  });
});
