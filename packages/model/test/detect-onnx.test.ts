import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { concatBytes, utf8Encode } from '@fastness/codec/bytes';
import type { ErrorCode } from '@fastness/codec/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { detectModel, type DetectedModel } from '../src/index.ts';
import { codeOf } from './support/expect-code.ts';
import { newWorkspace, writeTree, type Tree, type Workspace } from './support/workspace.ts';

let work: Workspace;
beforeEach(async () => {
  work = await newWorkspace();
});
afterEach(() => work[Symbol.asyncDispose]());

const json = (value: unknown): Uint8Array => utf8Encode(JSON.stringify(value));
/** Field numbers and wire types of ModelProto: IR version 8, a producer, a graph of three bytes, an opset. */
const onnx = Uint8Array.of(0x08, 8, 0x12, 1, 0x61, 0x3a, 3, 1, 2, 3, 0x42, 2, 0x10, 17);
const classifier = { architectures: ['BertForSequenceClassification'], id2label: { 0: 'no', 1: 'yes' } };
const tree: Tree = { 'model.onnx': onnx, 'tokenizer.json': json({ model: {} }), 'config.json': json(classifier) };

async function detect(changes: Record<string, Uint8Array | undefined> = {}): Promise<DetectedModel> {
  const folder = join(work.dir, 'model');
  rmSync(folder, { recursive: true, force: true });
  const files = Object.entries({ ...tree, ...changes }).flatMap(([path, content]) =>
    content === undefined ? [] : [[path, content] as const],
  );
  writeTree(folder, Object.fromEntries(files));
  return detectModel(folder);
}

const refusal = (changes: Record<string, Uint8Array | undefined>): Promise<ErrorCode> => codeOf(() => detect(changes));
const config = (value: unknown): Record<string, Uint8Array> => ({ 'config.json': json(value) });

describe('detectModel on ONNX', () => {
  it('finds a classifier', async () => {
    expect(await detect()).toMatchObject({ format: 'onnx', engine: 'onnx', task: 'classify', main: 'model.onnx' });
  });

  it('finds an encoder', async () => {
    for (const architectures of [['BertModel'], ['XLMRobertaModel'], [], undefined]) {
      expect((await detect(config({ architectures }))).task).toBe('embed');
    }
  });

  const shipped = join(import.meta.dirname, '../../../models/triage-classifier');
  it.skipIf(!existsSync(join(shipped, 'model.onnx')))(
    'finds the classifier that is shipped, and cuts of it',
    async () => {
      const files = Object.fromEntries(
        Object.keys(tree).map((name) => [name, new Uint8Array(readFileSync(join(shipped, name)))]),
      );
      expect((await detect(files)).task).toBe('classify');
      const path = join(work.dir, 'model', 'model.onnx');
      for (const size of [(files['model.onnx']?.length ?? 0) - 1, 1000, 30]) {
        truncateSync(path, size);
        expect(await codeOf(() => detectModel(join(work.dir, 'model')))).toBe('MODEL_ONNX_TRUNCATED');
      }
    },
  );
});

describe('detectModel refuses as ONNX', () => {
  it('a folder with a file missing, or with more than one model', async () => {
    expect(await refusal({ 'tokenizer.json': undefined })).toBe('MODEL_FORMAT_UNKNOWN');
    expect(await refusal({ 'config.json': undefined })).toBe('MODEL_FORMAT_UNKNOWN');
    expect(await refusal({ 'model.onnx': undefined })).toBe('MODEL_FORMAT_UNKNOWN');
    expect(await refusal({ 'model.onnx': undefined, 'other.onnx': onnx })).toBe('MODEL_FORMAT_UNKNOWN');
    expect(await refusal({ 'other.onnx': onnx })).toBe('MODEL_FORMAT_AMBIGUOUS');
  });

  it('weights beside the model', async () => {
    for (const name of ['model.onnx_data', 'model.onnx.data']) {
      expect(await refusal({ [name]: onnx })).toBe('MODEL_ONNX_EXTERNAL_DATA');
    }
  });

  it('a model that does not follow the format', async () => {
    const model = (...parts: Uint8Array[]): Record<string, Uint8Array> => ({ 'model.onnx': concatBytes(...parts) });
    const graph = onnx.slice(5, 10);
    const version = onnx.slice(0, 2);
    expect(await refusal(model())).toBe('MODEL_ONNX_MALFORMED');
    expect(await refusal(model(version))).toBe('MODEL_ONNX_MALFORMED');
    expect(await refusal(model(graph))).toBe('MODEL_ONNX_MALFORMED');
    expect(await refusal(model(version, Uint8Array.of(0x3a, 0)))).toBe('MODEL_ONNX_MALFORMED');
    expect(await refusal(model(version, graph, graph))).toBe('MODEL_ONNX_MALFORMED');
    expect(await refusal(model(Uint8Array.of(0x08, 2), graph))).toBe('MODEL_ONNX_MALFORMED');
    expect(await refusal(model(version, graph, Uint8Array.of(0x0b)))).toBe('MODEL_ONNX_MALFORMED');
    expect(await refusal(model(version, graph, new Uint8Array(11).fill(0xff)))).toBe('MODEL_ONNX_MALFORMED');
    expect(await refusal(model(utf8Encode('version https://git-lfs.github.com/spec/v1\n')))).toMatch(/^MODEL_ONNX_/);
    expect(
      (await detect(model(version, graph, Uint8Array.of(0x65, 1, 2, 3, 4, 0x69, 1, 2, 3, 4, 5, 6, 7, 8)))).task,
    ).toBe('classify');
  });

  it('a model cut at any byte', async () => {
    for (let length = 1; length < onnx.length; length += 1) {
      // After the graph the rest is a whole message.
      if (length === 10) continue;
      // So it is between two fields before, but for the graph.
      const expected = [2, 5].includes(length) ? 'MODEL_ONNX_MALFORMED' : 'MODEL_ONNX_TRUNCATED';
      expect(await refusal({ 'model.onnx': onnx.slice(0, length) }), `${length}`).toBe(expected);
    }
  });

  it('a tokenizer or configuration that is none', async () => {
    for (const content of ['', '{', '[]', '{}', 'null']) {
      expect(await refusal({ 'tokenizer.json': utf8Encode(content) })).toBe('MODEL_ONNX_CONFIG');
    }
    expect(await refusal({ 'config.json': Uint8Array.of(0xff) })).toBe('MODEL_ONNX_CONFIG');
    expect(await refusal(config({ architectures: 'BertModel' }))).toBe('MODEL_ONNX_CONFIG');
    const architectures = ['BertForSequenceClassification'];
    expect(await refusal(config({ architectures }))).toBe('MODEL_ONNX_CONFIG');
    expect(await refusal(config({ architectures, id2label: {} }))).toBe('MODEL_ONNX_CONFIG');
    expect(await refusal(config({ architectures, id2label: { 1: 'a', 2: 'b' } }))).toBe('MODEL_ONNX_CONFIG');
    expect(await refusal(config({ architectures, id2label: { zero: 'a' } }))).toBe('MODEL_ONNX_CONFIG');
  });

  it('a task that is not served', async () => {
    for (const name of ['BertForMaskedLM', 'LlamaForCausalLM', 'BertForTokenClassification']) {
      expect(await refusal(config({ architectures: [name] }))).toBe('MODEL_TASK_UNKNOWN');
    }
  });

  it('anything else', async () => {
    writeFileSync(join(work.dir, 'weights.safetensors'), 'x'.repeat(100));
    expect(await codeOf(() => detectModel(join(work.dir, 'weights.safetensors')))).toBe('MODEL_FORMAT_UNKNOWN');
    expect(await codeOf(() => detectModel(join(work.dir, 'nowhere')))).toBe('SEAL_SOURCE_NOT_FOUND');
  });
});
