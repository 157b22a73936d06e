import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readFile, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSoftwareKeyStore, kdfBounds, type KeyStore } from '@fastness/keys';
import { utf8Encode } from '@fastness/codec/bytes';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hashFiles } from '../src/signing/hash-files.ts';
import { readText } from '../src/signing/read-package.ts';
import { compareResourcePaths } from '../src/release/resource-name.ts';
import { parseOmsBundle, verifyOmsBundle, type ModelStatement } from '../src/release/index.ts';
import { serializeModel, signModel, verifyModel, type SerializeOptions } from '../src/signing/index.ts';
import { expectCode, sha256Hex } from './release-support.ts';

const files: Record<string, string> = {
  'config.json': '{"layers":2}',
  'weights/a.bin': 'a'.repeat(1000),
  'weights/b.bin': 'b'.repeat(20),
  'weights-extra': 'x',
  'naïve-имя-✓.txt': 'unicode',
  empty: '',
};

let folder: string;
let root: string;
let keyStore: KeyStore;
let storeFolder: string;

beforeAll(async () => {
  storeFolder = await mkdtemp(join(tmpdir(), 'fastness-signing-keys-'));
  const cost = { memory: kdfBounds.memory.min, passes: kdfBounds.passes.min, parallelism: 1 };
  keyStore = await createSoftwareKeyStore({
    path: join(storeFolder, 'keys'),
    passphrase: utf8Encode('passphrase'),
    cost,
  });
  await keyStore.create({ id: 'owner', purpose: 'sign', algorithm: 'P-384' });
  await keyStore.create({ id: 'edward', purpose: 'sign', algorithm: 'Ed25519' });
});
afterAll(async () => {
  await keyStore[Symbol.asyncDispose]();
  await rm(storeFolder, { recursive: true });
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-signing-'));
  root = join(folder, 'model');
  await mkdir(join(root, 'weights'), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(root, name), content);
});
afterEach(() => rm(folder, { recursive: true }));

const hashOne = (path: string) => hashFiles([{ name: 'file', path }], { allowSymlinks: false, shardSize: undefined });

async function sign(options: SerializeOptions = {}): Promise<ModelStatement> {
  const { bundle, verified } = await signModel({ root, keyStore, keyId: 'owner', ...options });
  await writeFile(join(folder, 'model.sig'), bundle);
  const publicKeys = [await keyStore.publicKey('owner')];
  const { statement } = await verifyOmsBundle({ bundle, publicKeys });
  expect(statement).toEqual(verified.statement);
  return statement;
}

describe('signing a model', () => {
  it('writes what the reference tool reads: hint, empty key id, no log entries', async () => {
    const { bundle, verified } = await signModel({ root, keyStore, keyId: 'owner' });
    expect(Object.keys(JSON.parse(bundle))).toEqual(['mediaType', 'verificationMaterial', 'dsseEnvelope']);
    expect(JSON.parse(bundle)).toMatchObject({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: { publicKey: { hint: verified.signer.keyId }, tlogEntries: [] },
      dsseEnvelope: { payloadType: 'application/vnd.in-toto+json', signatures: [{ keyid: '' }] },
    });
    expect(parseOmsBundle(bundle).envelope.signatures).toHaveLength(1);
  });

  it('lists every file once, ordered by path components and code points', async () => {
    const { resources } = await serializeModel(root);
    const names = resources.map(({ name }) => name);
    expect(names).toEqual([
      'config.json',
      'empty',
      'naïve-имя-✓.txt',
      'weights/a.bin',
      'weights/b.bin',
      'weights-extra',
    ]);
    for (const { name, digest } of resources) expect(digest).toBe(sha256Hex(files[name] ?? ''));
    // Beyond the basic plane, UTF-16 order and code point order differ.
    expect(['\u{1f600}', '\uffee'].sort(compareResourcePaths)).toEqual(['\uffee', '\u{1f600}']);
  });

  it('refuses an algorithm that OMS does not have', () =>
    expectCode(signModel({ root, keyStore, keyId: 'edward' }), 'OMS_KEY_UNSUPPORTED'));

  it('gives the same resources on one thread and on several', async () => {
    // Large enough to be worth a second thread.
    await writeFile(join(root, 'large-1'), Buffer.alloc(20_000_000, 1));
    await writeFile(join(root, 'large-2'), Buffer.alloc(20_000_000, 2));
    const alone = await serializeModel(root, { threads: 1 });
    expect(await serializeModel(root, { threads: 2 })).toEqual(alone);
    expect(alone.resources).toContainEqual({ name: 'large-2', digest: sha256Hex(Buffer.alloc(20_000_000, 2)) });
  });

  it('takes many files in turn, and no more shards than a statement may list', async () => {
    for (let index = 0; index < 600; index += 1) await writeFile(join(root, `weights/part-${index}`), `part ${index}`);
    const { resources } = await serializeModel(root);
    expect(resources).toHaveLength(606);
    for (const index of [0, 255, 256, 599]) {
      expect(resources).toContainEqual({ name: `weights/part-${index}`, digest: sha256Hex(`part ${index}`) });
    }
    await writeFile(join(root, 'large'), Buffer.alloc(100_001));
    await expectCode(serializeModel(root, { method: 'shards', shardSize: 1 }), 'OMS_LIMIT');
  });

  it('stops when asked to, and reports progress', async () => {
    const seen: number[] = [];
    await serializeModel(root, { onProgress: (bytes) => seen.push(bytes) });
    expect(seen.at(-1)).toBe(Object.values(files).reduce((sum, content) => sum + Buffer.byteLength(content), 0));
    await expectCode(serializeModel(root, { signal: AbortSignal.abort() }), 'SEAL_CANCELLED');
  });

  it('never covers the files of a repository', async () => {
    await mkdir(join(root, '.git'));
    await writeFile(join(root, '.git/HEAD'), 'ref');
    await writeFile(join(root, '.gitignore'), '*');
    expect((await serializeModel(root)).resources).toHaveLength(6);
  });

  it('leaves out what it is told to, and says so in the statement', async () => {
    const statement = await sign({ ignorePaths: ['weights', 'config.json'] });
    expect(statement.resources.map(({ name }) => name)).toEqual(['empty', 'naïve-имя-✓.txt', 'weights-extra']);
    expect(statement.serialization.ignorePaths).toEqual(['weights', 'config.json']);
  });

  it('refuses links, unless told to follow links to files', async () => {
    await writeFile(join(folder, 'outside'), 'outside');
    await symlink(join(folder, 'outside'), join(root, 'link'));
    await expectCode(serializeModel(root), 'OMS_SYMLINK');
    const { resources } = await serializeModel(root, { allowSymlinks: true });
    expect(resources).toContainEqual({ name: 'link', digest: sha256Hex('outside') });
  });

  it('refuses links to folders always: what they hold would go unsigned', async () => {
    await symlink(folder, join(root, 'link'));
    await expectCode(serializeModel(root, { allowSymlinks: true }), 'OMS_SYMLINK');
  });

  it('refuses pipes, without waiting for them', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    await expectCode(serializeModel(root), 'OMS_SPECIAL_FILE');
  });

  it('refuses links to pipes, and devices that took the place of a file', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await symlink(join(folder, 'pipe'), join(root, 'link'));
    await expectCode(serializeModel(root, { allowSymlinks: true }), 'OMS_SPECIAL_FILE');
    await expectCode(hashOne('/dev/null'), 'OMS_SPECIAL_FILE');
  });

  it('refuses names that could be read in two ways', async () => {
    await writeFile(join(root, 'line\nbreak'), '');
    await expectCode(serializeModel(root), 'OMS_RESOURCE_NAME');
  });

  it('refuses a colon in a name where it separates shards', async () => {
    await writeFile(join(root, 'a:b'), 'x');
    expect((await serializeModel(root)).resources).toHaveLength(7);
    await expectCode(serializeModel(root, { method: 'shards' }), 'OMS_RESOURCE_NAME');
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses shards of %d bytes', (shardSize) =>
    expectCode(serializeModel(root, { method: 'shards', shardSize }), 'OMS_SERIALIZATION_UNSUPPORTED'),
  );

  it('notices a file that is longer than it claims', async () => {
    // A file of the proc file system has size 0, and content.
    await expectCode(hashOne('/proc/self/status'), 'OMS_FILE_CHANGED');
  });

  // A file of the sys file system claims a page, and ends after a few bytes.
  const shortFile = '/sys/kernel/uevent_seqnum';
  it.skipIf(!existsSync(shortFile))('notices a file that is shorter than it claims', async () => {
    await expectCode(hashOne(shortFile), 'OMS_FILE_CHANGED');
    await expectCode(readText(shortFile, 10_000), 'OMS_FILE_CHANGED');
  });

  it('says when there is no model', () => expectCode(serializeModel(join(folder, 'absent')), 'OMS_IO'));
});

describe.each([
  ['files', { method: 'files' }],
  ['shards', { method: 'shards', shardSize: 64 }],
] as const)('verifying a model signed by %s', (method, options) => {
  it('accepts what was signed', async () => {
    const statement = await sign(options);
    const verified = await verifyModel({ root, statement, signaturePath: join(folder, 'model.sig') });
    expect(verified).toEqual(
      method === 'files' ? { files: 6, uncovered: [], ignored: [] } : { files: 5, uncovered: ['empty'], ignored: [] },
    );
  });

  it('accepts the signature file inside the model', async () => {
    const statement = await sign(options);
    await writeFile(join(root, 'model.sig'), await readFile(join(folder, 'model.sig')));
    await expectCode(verifyModel({ root, statement }), 'OMS_UNSIGNED_FILE');
    const { ignored } = await verifyModel({ root, statement, signaturePath: join(root, 'model.sig') });
    expect(ignored).toEqual(['model.sig']);
  });

  it('refuses a file more', async () => {
    const statement = await sign(options);
    await writeFile(join(root, 'weights/c.bin'), 'c');
    await expectCode(verifyModel({ root, statement }), 'OMS_UNSIGNED_FILE');
    await verifyModel({ root, statement, ignorePaths: ['weights/c.bin'] });
  });

  it('refuses a file less', async () => {
    const statement = await sign(options);
    await unlink(join(root, 'weights/b.bin'));
    await expectCode(verifyModel({ root, statement }), 'OMS_MISSING_FILE');
  });

  it('refuses a file that was altered, cut, emptied or extended', async () => {
    const statement = await sign(options);
    const path = join(root, 'weights/a.bin');
    const restore = () => writeFile(path, files['weights/a.bin'] ?? '');
    await writeFile(path, 'A'.repeat(1000));
    await expectCode(verifyModel({ root, statement }), 'OMS_DIGEST_MISMATCH');
    await restore();
    await truncate(path, 128);
    await expectCode(verifyModel({ root, statement }), 'OMS_DIGEST_MISMATCH');
    await truncate(path, 0);
    await expectCode(verifyModel({ root, statement }), 'OMS_DIGEST_MISMATCH');
    await restore();
    await appendFile(path, 'a');
    await expectCode(verifyModel({ root, statement }), 'OMS_DIGEST_MISMATCH');
    await restore();
    await verifyModel({ root, statement });
  });

  it('refuses a link in place of a file, even to the same content', async () => {
    const statement = await sign(options);
    await writeFile(join(folder, 'copy'), files['config.json'] ?? '');
    await unlink(join(root, 'config.json'));
    await symlink(join(folder, 'copy'), join(root, 'config.json'));
    await expectCode(verifyModel({ root, statement }), 'OMS_SYMLINK');
  });
});
