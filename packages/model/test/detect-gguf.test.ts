import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '@fastness/codec/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detectModel, type DetectedModel } from '../src/index.ts';
import { codeOf } from './support/expect-code.ts';
import {
  array,
  plainMetadata,
  plainTensors,
  string,
  text,
  u16,
  u32,
  writeGguf,
  type GgufParts,
} from './support/gguf.ts';
import { newWorkspace, writeTree, type Workspace } from './support/workspace.ts';

let work: Workspace;
beforeAll(async () => {
  work = await newWorkspace();
});
afterAll(() => work[Symbol.asyncDispose]());

async function detect(parts: Partial<GgufParts> = {}): Promise<DetectedModel> {
  const path = join(work.dir, 'model.gguf');
  writeFileSync(path, writeGguf(parts));
  return detectModel(path);
}

const refusal = (parts: Partial<GgufParts>): Promise<ErrorCode> => codeOf(() => detect(parts));

/** The plain metadata with entries put in or, by key, replaced. */
function withMetadata(...entries: GgufParts['metadata'][number][]): Partial<GgufParts> {
  const keys = new Set(entries.map(([key]) => key));
  return { metadata: [...plainMetadata.filter(([key]) => !keys.has(key)), ...entries] };
}

const shipped = join(import.meta.dirname, '../../../models/triage/triage.gguf');

describe('detectModel on GGUF', () => {
  it('finds a generator', async () => {
    expect(await detect()).toEqual({
      format: 'gguf',
      engine: 'llama',
      task: 'generate',
      main: 'model.gguf',
      architecture: 'llama',
      files: [{ path: 'model.gguf', size: statSync(join(work.dir, 'model.gguf')).size }],
    });
    expect((await detect({ version: 2 })).task).toBe('generate');
    expect((await detect(withMetadata(['llama.pooling_type', u32(0)]))).task).toBe('generate');
  });

  it('finds an embedder by its pooling or its architecture', async () => {
    for (const type of [1, 2, 3]) {
      expect((await detect(withMetadata(['llama.pooling_type', u32(type)]))).task).toBe('embed');
    }
    expect((await detect(withMetadata(['general.architecture', text('nomic-bert')]))).task).toBe('embed');
    // Another architecture's pooling says nothing about this one.
    expect((await detect(withMetadata(['bert.pooling_type', u32(1)]))).task).toBe('generate');
  });

  it('refuses a reranker', async () => {
    expect(await refusal(withMetadata(['llama.pooling_type', u32(4)]))).toBe('MODEL_TASK_UNKNOWN');
  });

  it('takes a file by content, not by name', async () => {
    const path = join(work.dir, 'weights.bin');
    writeFileSync(path, writeGguf());
    expect((await detectModel(path)).engine).toBe('llama');
  });

  it('reads a header larger than its window', async () => {
    const tokens = Array.from({ length: 200_000 }, (_, index) => string(`token ${index}`));
    const parts = withMetadata(
      ['tokenizer.ggml.tokens', array(8, tokens)],
      ['tokenizer.ggml.scores', array(6, [new Uint8Array(4 * 200_000)], 200_000)],
    );
    expect((await detect(parts)).task).toBe('generate');
  });

  it.skipIf(!existsSync(shipped))('finds the model that is shipped, and every cut of it', async () => {
    expect((await detectModel(shipped)).task).toBe('generate');
    const copy = join(work.dir, 'copy.gguf');
    const { length } = readFileSync(shipped);
    for (const size of [4, 5, 23, 24, 100, 5000, 30_000, Math.floor(length / 2), length - 1000]) {
      writeFileSync(copy, readFileSync(shipped));
      truncateSync(copy, size);
      expect(await codeOf(() => detectModel(copy)), `${size}`).toBe('MODEL_GGUF_TRUNCATED');
    }
  });
});

describe('detectModel refuses a GGUF file', () => {
  it('that is something else', async () => {
    expect(await refusal({ magic: 'GGUX' })).toBe('MODEL_FORMAT_UNKNOWN');
    writeFileSync(join(work.dir, 'model.gguf'), 'GGU');
    expect(await codeOf(() => detectModel(join(work.dir, 'model.gguf')))).toBe('MODEL_FORMAT_UNKNOWN');
    writeFileSync(join(work.dir, 'model.gguf'), '');
    expect(await codeOf(() => detectModel(join(work.dir, 'model.gguf')))).toBe('MODEL_FORMAT_UNKNOWN');
  });

  it('of another version or byte order', async () => {
    for (const version of [0, 1, 4, 0x0300_0000]) expect(await refusal({ version })).toBe('MODEL_GGUF_VERSION');
  });

  it('cut at every byte', async () => {
    const whole = writeGguf();
    const path = join(work.dir, 'cut.gguf');
    for (let length = 4; length < whole.length; length += 1) {
      writeFileSync(path, whole.slice(0, length));
      expect(await codeOf(() => detectModel(path)), `${length}`).toBe('MODEL_GGUF_TRUNCATED');
    }
  });

  it('with counts and lengths without bound', async () => {
    const huge = 2n ** 63n;
    expect(await refusal({ tensorCount: huge })).toBe('MODEL_GGUF_MALFORMED');
    expect(await refusal({ metadataCount: huge })).toBe('MODEL_GGUF_MALFORMED');
    expect(await refusal(withMetadata(['x', array(4, [], huge)]))).toBe('MODEL_GGUF_MALFORMED');
    expect(await refusal(withMetadata(['x', array(8, [], huge)]))).toBe('MODEL_GGUF_MALFORMED');
    expect(await refusal(withMetadata(['x', array(0, [], 16 * 1024 * 1024)]))).toBe('MODEL_GGUF_TRUNCATED');
    expect(await refusal(withMetadata(['x'.repeat(65_536), u32(1)]))).toBe('MODEL_GGUF_MALFORMED');
    expect(await refusal(withMetadata(['x', text('x'.repeat(1024 * 1024 + 1))]))).toBe('MODEL_GGUF_MALFORMED');
  });

  it('with metadata of unknown types, nested arrays, keys twice, empty or not UTF-8', async () => {
    expect(await refusal(withMetadata(['x', [13, new Uint8Array(8)]]))).toBe('MODEL_GGUF_MALFORMED');
    expect(await refusal(withMetadata(['x', array(9, [new Uint8Array(20)], 1)]))).toBe('MODEL_GGUF_MALFORMED');
    expect(await refusal({ metadata: [...plainMetadata, ['general.architecture', text('x')]] })).toBe(
      'MODEL_GGUF_MALFORMED',
    );
    expect(await refusal(withMetadata(['', u32(1)]))).toBe('MODEL_GGUF_MALFORMED');
    expect(await refusal(withMetadata([Uint8Array.of(0xff), u32(1)]))).toBe('MODEL_GGUF_MALFORMED');
  });

  it('with an alignment that is none', async () => {
    for (const alignment of [0, 33, 2 ** 31]) {
      expect(await refusal(withMetadata(['general.alignment', u32(alignment)]))).toBe('MODEL_GGUF_MALFORMED');
    }
    expect(await refusal(withMetadata(['general.alignment', u16(32)]))).toBe('MODEL_GGUF_MALFORMED');
    const metadata = withMetadata(['general.alignment', u32(128)]);
    expect((await detect({ ...metadata, alignment: 128 })).task).toBe('generate');
  });

  it('without an architecture, a tensor or a tokenizer', async () => {
    expect(await refusal({ metadata: plainMetadata.slice(1) })).toBe('MODEL_GGUF_ARCHITECTURE');
    expect(await refusal(withMetadata(['general.architecture', text('../x')]))).toBe('MODEL_GGUF_ARCHITECTURE');
    expect(await refusal({ tensors: [] })).toBe('MODEL_GGUF_ARCHITECTURE');
    expect(await refusal({ metadata: plainMetadata.slice(0, 1) })).toBe('MODEL_GGUF_TOKENIZER');
    expect(await refusal({ metadata: plainMetadata.slice(0, 2) })).toBe('MODEL_GGUF_TOKENIZER');
  });

  it('whose tensors are not where they should be', async () => {
    const [first, second] = plainTensors;
    const tensors = (change: Partial<typeof first>): Promise<ErrorCode> =>
      refusal({ tensors: [first, { ...second, ...change }] });
    expect(await tensors({ offset: 0 })).toBe('MODEL_GGUF_MALFORMED');
    expect(await tensors({ offset: 288 })).toBe('MODEL_GGUF_MALFORMED');
    expect(await tensors({ offset: 2n ** 63n })).toBe('MODEL_GGUF_MALFORMED');
    expect(await tensors({ name: first.name })).toBe('MODEL_GGUF_MALFORMED');
    expect(await tensors({ name: '' })).toBe('MODEL_GGUF_MALFORMED');
    expect(await tensors({ name: 'x'.repeat(64) })).toBe('MODEL_GGUF_MALFORMED');
    expect(await tensors({ shape: [32, 1, 1, 1, 1] })).toBe('MODEL_GGUF_MALFORMED');
    expect(await tensors({ shape: [31] })).toBe('MODEL_GGUF_MALFORMED');
    expect(await tensors({ shape: [32, 0] })).toBe('MODEL_GGUF_MALFORMED');
    expect(await tensors({ shape: [2n ** 40n, 2n ** 40n] })).toBe('MODEL_GGUF_MALFORMED');
    expect(await tensors({ shape: [32, 2] })).toBe('MODEL_GGUF_TRUNCATED');
    for (const type of [4, 31, 43, 0xffff_ffff]) expect(await tensors({ type })).toBe('MODEL_GGUF_TENSOR_TYPE');
  });
});

describe('detectModel on a folder of GGUF files', () => {
  const part = (no: number, count: number, first = no === 0): Uint8Array =>
    writeGguf({
      metadata: [
        ...(first ? plainMetadata : plainMetadata.slice(0, 1)),
        ['split.no', u16(no)],
        ['split.count', u16(count)],
      ],
    });
  let folders = 0;
  const detectFolder = (tree: Record<string, Uint8Array>): Promise<DetectedModel> => {
    folders += 1;
    const folder = join(work.dir, `folder${folders}`);
    writeTree(folder, tree);
    return detectModel(folder);
  };

  it('finds one model among other files', async () => {
    const model = await detectFolder({ 'README.md': new Uint8Array(), 'sub/m.GGUF': writeGguf() });
    expect(model.main).toBe('sub/m.GGUF');
    expect(model.files.map(({ path }) => path)).toEqual(['README.md', 'sub/m.GGUF']);
  });

  it('finds a split model', async () => {
    const model = await detectFolder({
      'm-00001-of-00002.gguf': part(0, 2),
      'm-00002-of-00002.gguf': part(1, 2),
    });
    expect(model.main).toBe('m-00001-of-00002.gguf');
  });

  it('refuses two models, and parts that are missing, mixed up or misnamed', async () => {
    const refused = (tree: Record<string, Uint8Array>): Promise<ErrorCode> => codeOf(() => detectFolder(tree));
    expect(await refused({ 'a.gguf': writeGguf(), 'b.gguf': writeGguf() })).toBe('MODEL_FORMAT_AMBIGUOUS');
    expect(await refused({ 'a.gguf': writeGguf(), 'model.onnx': writeGguf() })).toBe('MODEL_FORMAT_AMBIGUOUS');
    expect(await refused({ 'm-00001-of-00002.gguf': part(0, 2) })).toBe('MODEL_GGUF_SPLIT');
    const second = { 'm-00002-of-00002.gguf': part(1, 2) };
    expect(await refused({ 'm-00001-of-00002.gguf': part(1, 2, true), ...second })).toBe('MODEL_GGUF_SPLIT');
    expect(await refused({ 'm-00001-of-00002.gguf': part(0, 3), ...second })).toBe('MODEL_GGUF_SPLIT');
    expect(await refused({ 'k-00001-of-00002.gguf': part(0, 2), ...second })).toBe('MODEL_GGUF_SPLIT');
    expect(await refused({ 'm-00001-of-00002.gguf': part(2, 2), ...second })).toBe('MODEL_GGUF_SPLIT');
    expect(await refused({ 'm-00001-of-00002.gguf': part(0, 2), 'm-00002-of-00002.gguf': writeGguf() })).toBe(
      'MODEL_GGUF_SPLIT',
    );
  });
});
