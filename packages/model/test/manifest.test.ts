import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  deriveFileKey,
  fileAad,
  geometryOf,
  maxSegmentSize,
  parseManifest,
  rootKeyContext,
  sealedPathOf,
  type Manifest,
  type ManifestFile,
} from '../src/index.ts';
import { codeOf } from './support/expect-code.ts';
import { bytes } from './support/workspace.ts';

function file(path: string, size = 100, segmentSize = 4096): ManifestFile {
  const { sealedSize } = geometryOf(size, segmentSize);
  return { path, size, sealedSize, sealedPath: sealedPathOf(path), floe: { segmentSize } };
}

const manifest: Manifest = {
  format: 'fastness/manifest/v1',
  modelId: 'acme/triage:7b-q4_0.1',
  engine: 'llama',
  task: 'generate',
  sealId: '0123456789abcdef',
  files: [file('a.gguf'), file('b/c.json', 0)],
  createdAt: '2026-11-23T10:00:00.000Z',
};

const refusal = (changes: object): Promise<ErrorCode> =>
  codeOf(() => parseManifest(JSON.stringify({ ...manifest, ...changes })));

describe('parseManifest', () => {
  it('reads what it should', () => {
    expect(parseManifest(JSON.stringify(manifest))).toEqual(manifest);
  });

  it.each([
    ['another format', { format: 'fastness/manifest/v2' }],
    ['a member more', { extra: 1 }],
    ['a member less', { engine: undefined }],
    ['another engine', { engine: 'vllm' }],
    ['another task', { task: 'chat' }],
    ['a model id with a space', { modelId: 'a b' }],
    ['a seal id in upper case', { sealId: '0123456789ABCDEF' }],
    ['a short seal id', { sealId: '0123' }],
    ['no file', { files: [] }],
    ['a time that is none', { createdAt: 'yesterday' }],
    ['a file with a member more', { files: [{ ...file('a'), mode: 0o777 }] }],
    ['a negative size', { files: [{ ...file('a'), size: -1 }] }],
    ['a size beyond exact numbers', { files: [{ ...file('a'), size: 2 ** 53 }] }],
    ['a segment too small', { files: [{ ...file('a'), floe: { segmentSize: 32 } }] }],
    ['a segment too large', { files: [{ ...file('a'), floe: { segmentSize: maxSegmentSize + 1 } }] }],
  ])('refuses %s', async (_, changes) => {
    expect(await refusal(changes)).toBe('MANIFEST_MALFORMED');
  });

  it('refuses text that is no manifest', async () => {
    for (const text of ['', '[]', 'null', '{', JSON.stringify(manifest).slice(1)]) {
      expect(await codeOf(() => parseManifest(text))).toBe('MANIFEST_MALFORMED');
    }
    expect(await codeOf(() => parseManifest(' '.repeat(16 * 1024 * 1024 + 1)))).toBe('MANIFEST_MALFORMED');
  });

  it.each([
    '/etc/passwd',
    '../x',
    'a/../x',
    './a',
    'a//b',
    'a/',
    'a\\b',
    'a\u0000b',
    'a\nb',
    '\ud800',
    '.git/x',
    'a/.github/b',
  ])('refuses the path %j', async (path) => {
    expect(await refusal({ files: [file(path)] })).toBe('MANIFEST_PATH');
  });

  it('refuses a sealed path that is not the one of the path', async () => {
    for (const sealedPath of ['files/b.floe', 'a.floe', 'files/a', '../files/a.floe', '/files/a.floe']) {
      expect(await refusal({ files: [{ ...file('a'), sealedPath }] })).toBe('MANIFEST_PATH');
    }
  });

  it('refuses a file twice, and files out of order', async () => {
    expect(await refusal({ files: [file('a'), file('a')] })).toBe('MANIFEST_DUPLICATE');
    expect(await refusal({ files: [file('b'), file('a')] })).toBe('MANIFEST_DUPLICATE');
    // By components: a/b comes before a-b.
    expect(await refusal({ files: [file('a-b'), file('a/b')] })).toBe('MANIFEST_DUPLICATE');
    expect(parseManifest(JSON.stringify({ ...manifest, files: [file('a/b'), file('a-b')] })).files).toHaveLength(2);
  });

  it('refuses a sealed size that does not follow from the size', async () => {
    for (const difference of [-1, 1, 32]) {
      const one = file('a');
      expect(await refusal({ files: [{ ...one, sealedSize: one.sealedSize + difference }] })).toBe('MANIFEST_SIZE');
    }
    expect(await refusal({ files: [{ ...file('a'), size: 2 ** 52, floe: { segmentSize: 33 } }] })).toBe(
      'MANIFEST_SIZE',
    );
  });
});

describe('keys and contexts', () => {
  const root = bytes(32);
  const other = { modelId: 'acme/triage:7b-q4_0.2', sealId: manifest.sealId };
  const resealed = { modelId: manifest.modelId, sealId: '0123456789abcde0' };
  // Fields moved across their border must not make the same bytes.
  const shifted = { modelId: `${manifest.modelId}0`, sealId: manifest.sealId.slice(1) };

  it('differ by model, sealing, path and size', () => {
    const contexts = [manifest, other, resealed, shifted].map((identity) => rootKeyContext(identity).toString());
    expect(new Set(contexts).size).toBe(4);
    const keys = [
      deriveFileKey(root, manifest, 'a'),
      deriveFileKey(root, manifest, 'b'),
      deriveFileKey(root, other, 'a'),
      deriveFileKey(root, resealed, 'a'),
      deriveFileKey(root, shifted, 'a'),
      deriveFileKey(bytes(32), manifest, 'a'),
    ].map((key) => key.toString());
    expect(new Set(keys).size).toBe(6);
    const aads = [
      fileAad(manifest, { path: 'a', size: 1 }),
      fileAad(manifest, { path: 'a', size: 2 }),
      fileAad(manifest, { path: 'b', size: 1 }),
      fileAad(other, { path: 'a', size: 1 }),
      fileAad(resealed, { path: 'a', size: 1 }),
      fileAad(shifted, { path: 'a', size: 1 }),
      rootKeyContext(manifest),
    ].map((aad) => aad.toString());
    expect(new Set(aads).size).toBe(7);
  });

  it('stay what they are', () => {
    // Changing either would make every sealed model unreadable.
    const identity = { modelId: 'm', sealId: '0000000000000000' };
    const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
    expect(hex(rootKeyContext(identity))).toBe(
      '00000014666173746e6573732f726f6f742d6b65792f7631000000016d0000001030303030303030303030303030303030',
    );
    expect(hex(fileAad(identity, { path: 'a', size: 1 }))).toBe(
      '00000010666173746e6573732f66696c652f7631000000016d00000010303030303030303030303030303030300000000161000000080000000000000001',
    );
    expect(deriveFileKey(new Uint8Array(32), identity, 'a')).toHaveLength(32);
  });

  it('need a whole root key', async () => {
    for (const length of [0, 16, 31, 33]) {
      expect(await codeOf(() => deriveFileKey(bytes(length), manifest, 'a'))).toBe('MODEL_ROOT_KEY');
    }
  });
});
