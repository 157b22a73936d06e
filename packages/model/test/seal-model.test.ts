import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  detectModel,
  parseManifest,
  readSealedModel,
  rewrapSealedModel,
  sealModel,
  type Manifest,
} from '../src/index.ts';
import { codeOf } from './support/expect-code.ts';
import { openModel } from './support/open-model.ts';
import { bytes, listTree, newWorkspace, snapshot, writeTree, type Tree, type Workspace } from './support/workspace.ts';

let work: Workspace;
let source: string;
let target: string;
const tree: Tree = {
  'model.onnx': bytes(200_000),
  'config.json': bytes(0),
  'sub/a.bin': bytes(4096),
  'sub/deeper/ü.bin': bytes(1),
  'sub-b': bytes(10),
};

beforeEach(async () => {
  work = await newWorkspace();
  source = join(work.dir, 'source');
  target = join(work.dir, 'sealed');
  writeTree(source, tree);
});
afterEach(() => work[Symbol.asyncDispose]());

type SealOverrides = Partial<Parameters<typeof sealModel>[0]>;

function seal(overrides: SealOverrides = {}): Promise<Manifest> {
  return sealModel({
    source,
    target,
    modelId: 'triage',
    engine: 'onnx',
    task: 'classify',
    keyStore: work.keyStore,
    kekId: 'kek',
    segmentSize: 4096,
    ...overrides,
  });
}

/** What sealing left beside the target. */
function leftovers(): string[] {
  return readdirSync(work.dir).filter((name) => name.startsWith('.'));
}

describe('sealModel', () => {
  it('makes a folder that opens to the same files', async () => {
    const progress: [number, number][] = [];
    const manifest = await seal({ onProgress: (done, total) => progress.push([done, total]) });

    expect(listTree(target)).toEqual(
      ['keys.json', 'manifest.json', ...Object.keys(tree).map((path) => `files/${path}.floe`)].sort(),
    );
    expect(parseManifest(readFileSync(join(target, 'manifest.json'), 'utf8'))).toEqual(manifest);
    expect(manifest.files.map(({ path }) => path)).toEqual([
      'config.json',
      'model.onnx',
      'sub/a.bin',
      'sub/deeper/ü.bin',
      'sub-b',
    ]);
    expect(progress.at(-1)).toEqual([204_107, 204_107]);
    const opened = await openModel(target, work.keyStore);
    for (const [path, content] of Object.entries(tree))
      expect(Buffer.compare(opened[path] ?? bytes(9), content)).toBe(0);
    expect(leftovers()).toEqual([]);
  });

  it('seals a single file under its own name', async () => {
    const manifest = await seal({ source: join(source, 'model.onnx') });
    expect(manifest.files.map(({ path }) => path)).toEqual(['model.onnx']);
    expect((await openModel(target, work.keyStore))['model.onnx']).toEqual(tree['model.onnx']);
  });

  it('shares no ciphertext between two sealings of one model', async () => {
    const first = await seal();
    const second = await seal({ target: join(work.dir, 'other') });
    expect(second.sealId).not.toBe(first.sealId);
    const one = readFileSync(join(target, 'files/model.onnx.floe'));
    const other = readFileSync(join(work.dir, 'other', 'files/model.onnx.floe'));
    for (let offset = 10; offset + 16 < one.length; offset += 4096) {
      expect(one.subarray(offset, offset + 16).equals(other.subarray(offset, offset + 16))).toBe(false);
    }
  });

  it('writes nothing of the plaintext and of the root key', async () => {
    const needle = Buffer.from('the plaintext of a model, easily found');
    writeFileSync(join(source, 'model.onnx'), needle);
    await seal();
    for (const path of listTree(target)) {
      expect(readFileSync(join(target, path)).includes(needle.subarray(0, 8)), path).toBe(false);
    }
  });

  const shipped = join(import.meta.dirname, '../../../models/triage/triage.gguf');
  it.skipIf(!existsSync(shipped))('seals the model that is shipped, as it was detected', async () => {
    const { engine, task } = await detectModel(shipped);
    const manifest = await seal({ source: shipped, engine, task, segmentSize: 1024 * 1024 });
    expect(manifest).toMatchObject({ engine: 'llama', task: 'generate', files: [{ path: 'triage.gguf' }] });
    const opened = await openModel(target, work.keyStore);
    expect(Buffer.compare(opened['triage.gguf'] ?? bytes(1), readFileSync(shipped))).toBe(0);
  });

  it('accepts a hard link as the file it is', async () => {
    linkSync(join(source, 'model.onnx'), join(source, 'again.onnx'));
    await seal();
    expect((await openModel(target, work.keyStore))['again.onnx']).toEqual(tree['model.onnx']);
  });
});

describe('sealModel refuses as a source', () => {
  const refused = async (code: string, overrides: SealOverrides = {}): Promise<void> => {
    expect(await codeOf(() => seal(overrides))).toBe(code);
    expect(existsSync(target)).toBe(false);
    expect(leftovers()).toEqual([]);
  };

  it('nothing', async () => {
    await refused('SEAL_SOURCE_NOT_FOUND', { source: join(work.dir, 'nowhere') });
    await refused('SEAL_SOURCE_NOT_FOUND', { source: join(source, 'model.onnx', 'x') });
  });

  it('an empty folder', async () => {
    mkdirSync(join(work.dir, 'empty', 'inner'), { recursive: true });
    await refused('SEAL_SOURCE_EMPTY', { source: join(work.dir, 'empty') });
  });

  it('symbolic links, to files, to folders, to nowhere, and as the source itself', async () => {
    for (const destination of ['/etc/passwd', source, 'nowhere']) {
      const link = join(source, 'link');
      symlinkSync(destination, link);
      await refused('SEAL_SOURCE_SYMLINK');
      renameSync(link, join(work.dir, `moved${Math.random()}`));
    }
    symlinkSync(source, join(work.dir, 'source-link'));
    await refused('SEAL_SOURCE_SYMLINK', { source: join(work.dir, 'source-link') });
  });

  it('pipes and sockets, without waiting for them', async () => {
    execFileSync('mkfifo', [join(source, 'pipe')]);
    await refused('SEAL_SOURCE_SPECIAL');
    renameSync(join(source, 'pipe'), join(work.dir, 'pipe'));
    const server = createServer().listen(join(source, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    await refused('SEAL_SOURCE_SPECIAL');
    server.close();
  });

  it('names that cannot be told apart or signed', async () => {
    for (const name of ['back\\slash', 'new\nline', '.git/config', 'sub/.github/x']) {
      writeTree(source, { [name]: bytes(1) });
      await refused('SEAL_SOURCE_NAME');
      renameSync(join(source, name.split('/')[0] ?? ''), join(work.dir, `moved${Math.random()}`));
      writeTree(source, tree);
    }
    writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff, 0xfe])]), '');
    await refused('SEAL_SOURCE_NAME');
  });

  it('folders nested without end', async () => {
    mkdirSync(join(source, 'd/'.repeat(34)), { recursive: true });
    await refused('SEAL_SOURCE_LIMIT');
  });

  it('more files than a manifest may list', async () => {
    for (let index = 0; index <= 10_000; index += 1) writeFileSync(join(source, `f${index}`), '');
    await refused('SEAL_SOURCE_LIMIT');
  });

  it('a file that is written to meanwhile', async () => {
    const path = join(source, 'model.onnx');
    // Each change happens once sealing has begun: the key store is asked after the files were listed.
    const during = (change: () => void): SealOverrides => ({
      keyStore: {
        ...work.keyStore,
        wrap: (id: string, plaintext: Uint8Array, context: Uint8Array) => {
          change();
          return work.keyStore.wrap(id, plaintext, context);
        },
      },
    });
    await refused(
      'SEAL_SOURCE_CHANGED',
      during(() => appendFileSync(path, 'x')),
    );
    await refused(
      'SEAL_SOURCE_CHANGED',
      during(() => writeFileSync(path, bytes(200_001))),
    );
    await refused(
      'SEAL_SOURCE_CHANGED',
      during(() => writeFileSync(path, bytes(1000))),
    );
    await refused(
      'SEAL_SOURCE_CHANGED',
      during(() => utimesSync(path, 1, 1)),
    );
    await refused(
      'SEAL_SOURCE_CHANGED',
      during(() => renameSync(path, join(work.dir, 'gone'))),
    );
    writeTree(source, tree);
    await refused(
      'SEAL_SOURCE_CHANGED',
      during(() => {
        renameSync(path, join(work.dir, 'gone'));
        symlinkSync(join(work.dir, 'gone'), path);
      }),
    );
    renameSync(path, join(work.dir, 'link'));
    writeTree(source, tree);
    await refused(
      'SEAL_SOURCE_CHANGED',
      during(() => {
        renameSync(join(source, 'sub'), join(work.dir, 'sub'));
        symlinkSync(join(work.dir, 'sub'), join(source, 'sub'));
      }),
    );
  });

  it('a file that is written to while it is read', async () => {
    writeFileSync(join(source, 'model.onnx'), bytes(32 * 1024 * 1024));
    let touched = false;
    const onProgress = (): void => {
      if (!touched) appendFileSync(join(source, 'model.onnx'), 'x');
      touched = true;
    };
    await refused('SEAL_SOURCE_CHANGED', { onProgress });
    expect(touched).toBe(true);
  });
});

describe('sealModel refuses as a target', () => {
  it('a folder that is not a sealed model, and leaves it alone', async () => {
    for (const content of [{ 'notes.txt': bytes(3) }, { 'manifest.json': bytes(3) }] as Tree[]) {
      const folder = join(work.dir, `folder${Math.random()}`);
      writeTree(folder, content);
      const before = snapshot(folder);
      expect(await codeOf(() => seal({ target: folder }))).toBe('SEAL_TARGET_FOREIGN');
      expect(snapshot(folder)).toEqual(before);
    }
    expect(await codeOf(() => seal({ target: join(source, 'model.onnx', 'x') }))).toBe('SEAL_TARGET_INVALID');
    writeFileSync(join(work.dir, 'file'), 'x');
    expect(await codeOf(() => seal({ target: join(work.dir, 'file') }))).toBe('SEAL_TARGET_FOREIGN');
    await seal();
    writeTree(target, { 'my-notes.txt': bytes(3) });
    expect(await codeOf(() => seal())).toBe('SEAL_TARGET_FOREIGN');
  });

  it('one inside the source, or around it', async () => {
    expect(await codeOf(() => seal({ target: join(source, 'sealed') }))).toBe('SEAL_TARGET_INVALID');
    expect(await codeOf(() => seal({ target: source }))).toBe('SEAL_TARGET_INVALID');
    expect(await codeOf(() => seal({ target: source, source: join(source, 'sub') }))).toBe('SEAL_TARGET_INVALID');
    symlinkSync(source, join(work.dir, 'way'));
    expect(await codeOf(() => seal({ target: join(work.dir, 'way', 'sealed') }))).toBe('SEAL_TARGET_INVALID');
    expect(await codeOf(() => seal({ target: join(work.dir, 'nowhere', 'sealed') }))).toBe('SEAL_TARGET_INVALID');
    expect(await codeOf(() => seal({ target: join(work.dir, 'n'.repeat(121)) }))).toBe('SEAL_TARGET_INVALID');
  });

  it('a signed release, unless it is asked to replace it', async () => {
    await seal();
    writeFileSync(join(target, 'model.sig'), 'a signature');
    const before = snapshot(target);
    expect(await codeOf(() => seal())).toBe('SEAL_TARGET_SIGNED');
    expect(snapshot(target)).toEqual(before);
    await seal({ replace: true });
    expect(existsSync(join(target, 'model.sig'))).toBe(false);
    expect((await openModel(target, work.keyStore))['sub/a.bin']).toEqual(tree['sub/a.bin']);
    expect(leftovers()).toEqual([]);
  });
});

describe('sealModel leaves nothing behind', () => {
  it('when it is cancelled, at the start, in the middle and at the end', async () => {
    writeFileSync(join(source, 'model.onnx'), bytes(48 * 1024 * 1024));
    const total = 48 * 1024 * 1024 + 4107;
    for (const share of [0, 0.3, 1]) {
      const controller = new AbortController();
      if (share === 0) controller.abort();
      const onProgress = (done: number): void => {
        if (done >= share * total) controller.abort();
      };
      const code = await codeOf(() =>
        seal({ signal: controller.signal, onProgress, threads: 2, segmentSize: 1 << 20 }),
      );
      expect(code).toBe('SEAL_CANCELLED');
      expect(existsSync(target)).toBe(false);
      expect(leftovers()).toEqual([]);
    }
  });

  it('when the key store refuses', async () => {
    expect(await codeOf(() => seal({ kekId: 'nobody' }))).toBe('KEYS_ID_UNKNOWN');
    expect(leftovers()).toEqual([]);
    expect(existsSync(target)).toBe(false);
  });

  it('when an argument is wrong', async () => {
    for (const modelId of ['', '../x', ' x', 'x'.repeat(129)]) {
      expect(await codeOf(() => seal({ modelId }))).toBe('SEAL_MODEL_ID');
    }
    expect(await codeOf(() => seal({ segmentSize: 32 }))).toBe('FLOE_SEGMENT_SIZE');
    for (const threads of [0, 65, 1.5]) expect(await codeOf(() => seal({ threads }))).toBe('SEAL_THREADS');
    expect(leftovers()).toEqual([]);
  });
});

describe('readSealedModel refuses', () => {
  it('what is no sealed model', async () => {
    expect(await codeOf(() => readSealedModel(source))).toBe('MODEL_NOT_SEALED');
    expect(await codeOf(() => readSealedModel(join(work.dir, 'nowhere')))).toBe('MODEL_NOT_SEALED');
    expect(await codeOf(() => readSealedModel(join(work.dir, 'no', 'where')))).toBe('MODEL_NOT_SEALED');
    expect(await codeOf(() => readSealedModel('/'))).toBe('MODEL_NOT_SEALED');
  });

  it('damaged and linked files', async () => {
    await seal();
    const keys = readFileSync(join(target, 'keys.json'), 'utf8');
    const put = (name: string, text: string | Uint8Array): void => writeFileSync(join(target, name), text);
    for (const text of [
      '',
      '{',
      '{}',
      keys.replace('v1', 'v2'),
      keys.replace('"root"', '"route"'),
      'x'.repeat(300_000),
    ]) {
      put('keys.json', text);
      expect(await codeOf(() => readSealedModel(target))).toBe('MODEL_KEYS_MALFORMED');
    }
    put('keys.json', keys);
    put('manifest.json', Uint8Array.of(0xff));
    expect(await codeOf(() => readSealedModel(target))).toBe('MANIFEST_MALFORMED');
    renameSync(join(target, 'manifest.json'), join(work.dir, 'manifest.json'));
    symlinkSync(join(work.dir, 'manifest.json'), join(target, 'manifest.json'));
    expect(await codeOf(() => readSealedModel(target))).toBe('MODEL_NOT_SEALED');
  });

  it('a file that the manifest does not list', async () => {
    await seal();
    const model = await readSealedModel(target);
    expect(model.file('sub/a.bin').absolutePath).toBe(join(target, 'files/sub/a.bin.floe'));
    expect(await codeOf(() => model.file('sub/b.bin'))).toBe('MODEL_FILE_UNKNOWN');
    expect(await codeOf(() => model.file('constructor'))).toBe('MODEL_FILE_UNKNOWN');
  });
});

describe('rewrapSealedModel', () => {
  it('changes keys.json and nothing else', async () => {
    await seal();
    const before = snapshot(target);
    await rewrapSealedModel(target, work.keyStore);
    const after = snapshot(target);
    expect(after['keys.json']).not.toBe(before['keys.json']);
    expect({ ...after, 'keys.json': '' }).toEqual({ ...before, 'keys.json': '' });
    expect((await openModel(target, work.keyStore))['sub/a.bin']).toEqual(tree['sub/a.bin']);
    expect(leftovers()).toEqual([]);
  });

  it('refuses the keys of another sealing', async () => {
    await seal();
    await seal({ target: join(work.dir, 'other') });
    writeFileSync(join(target, 'keys.json'), readFileSync(join(work.dir, 'other', 'keys.json')));
    const before = snapshot(target);
    expect(await codeOf(() => rewrapSealedModel(target, work.keyStore))).toBe('KEYS_UNWRAP');
    expect(snapshot(target)).toEqual(before);
  });
});
