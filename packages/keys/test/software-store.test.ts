import { execFile } from 'node:child_process';
import {
  appendFile,
  chmod,
  chown,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { utf8Encode } from '@fastness/codec/bytes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSoftwareKeyStore, kdfBounds, openSoftwareKeyStore, rewrap, type KdfCost } from '../src/index.ts';
import { describeKeyStore, expectCode } from './conformance.ts';

const phrase = 'correct horse battery staple';
const passphrase = utf8Encode(phrase);
const cost: KdfCost = { memory: kdfBounds.memory.min, passes: kdfBounds.passes.min, parallelism: 1 };
const context = utf8Encode('model-a|seal-1');
const secret = utf8Encode('0123456789abcdef0123456789abcdef');
const costOffset = 20;

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-keys-'));
  path = join(folder, 'owner.keys');
});
afterEach(() => rm(folder, { recursive: true }));

const createStore = () => createSoftwareKeyStore({ path, passphrase, cost });
const openStore = () => openSoftwareKeyStore({ path, passphrase });

async function createWithKek(): Promise<void> {
  await using store = await createStore();
  await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
}

async function alter(edit: (bytes: Buffer) => Uint8Array): Promise<void> {
  await writeFile(path, edit(await readFile(path)));
}

describeKeyStore('software', () => ({
  create: createStore,
  reopen: openStore,
  signing: ['P-256', 'P-384', 'Ed25519'],
}));

describe('the file', () => {
  it('is readable by its owner only, and leaves nothing else but its lock', async () => {
    await createWithKek();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readdir(folder)).sort()).toEqual(['owner.keys', 'owner.keys.lock']);
  });

  it('holds neither key bytes nor names in the clear', async () => {
    await createWithKek();
    const text = (await readFile(path)).toString('latin1');
    expect(text.startsWith('fastness-keystor')).toBe(true);
    expect(text).not.toContain('kek');
    expect(text).not.toContain('AES');
  });

  it('is never overwritten by creating another store', async () => {
    await createWithKek();
    await expectCode(createStore(), 'KEYS_FILE_EXISTS');
    await using store = await openStore();
    expect(await store.list()).toHaveLength(1);
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('must exist', () => expectCode(openStore(), 'KEYS_FILE_NOT_FOUND'));

  it.each([0o640, 0o604, 0o620, 0o660])('is refused with mode 0%o', async (mode) => {
    await createWithKek();
    await chmod(path, mode);
    await expectCode(openStore(), 'KEYS_PERMISSIONS');
  });

  it.skipIf(process.geteuid?.() !== 0)('is refused when it belongs to another user (tested as root only)', async () => {
    await createWithKek();
    await chown(path, 12_345, 0);
    await expectCode(openStore(), 'KEYS_PERMISSIONS');
  });

  it('is refused through a symbolic link', async () => {
    await createWithKek();
    await symlink(path, join(folder, 'link.keys'));
    await expectCode(openSoftwareKeyStore({ path: join(folder, 'link.keys'), passphrase }), 'KEYS_PERMISSIONS');
  });

  it('is refused when it is no key store', async () => {
    await writeFile(path, 'something else entirely, and long enough to be read', { mode: 0o600 });
    await expectCode(openStore(), 'KEYS_NOT_A_STORE');
  });

  it('is refused in an unknown format version', async () => {
    await createWithKek();
    await alter((bytes) => {
      bytes.writeUInt32BE(2, 16);
      return bytes;
    });
    await expectCode(openStore(), 'KEYS_FORMAT_VERSION');
  });

  it('is refused when cut short', async () => {
    await createWithKek();
    await alter((bytes) => bytes.subarray(0, 70));
    await expectCode(openStore(), 'KEYS_FILE_DAMAGED');
  });

  it('is refused when it is far too large', async () => {
    await createWithKek();
    await appendFile(path, new Uint8Array(5 * 1024 * 1024));
    await expectCode(openStore(), 'KEYS_FILE_DAMAGED');
  });

  it.each([
    ['memory', 0, kdfBounds.memory.max + 1],
    ['memory', 0, kdfBounds.memory.min - 1],
    ['passes', 4, kdfBounds.passes.max + 1],
    ['passes', 4, 1],
    ['parallelism', 8, 17],
    ['parallelism', 8, 0],
  ] as const)('is refused when its %s cost is out of bounds', async (_, offset, value) => {
    await createWithKek();
    await alter((bytes) => {
      bytes.writeUInt32BE(value, costOffset + offset);
      return bytes;
    });
    await expectCode(openStore(), 'KEYS_KDF_BOUNDS');
  });

  it('is authenticated whole: costs within bounds, salt, nonce, body and tag', async () => {
    await createWithKek();
    const { length } = await readFile(path);
    const original = await readFile(path);
    for (const offset of [31, 32, 47, 48, 59, 60, 200, length - 16, length - 1]) {
      const bytes = Buffer.from(original);
      bytes[offset] = (bytes[offset] ?? 0) ^ 2;
      await writeFile(path, bytes);
      await expectCode(openStore(), 'KEYS_UNLOCK');
    }
    await writeFile(path, Buffer.concat([original, Buffer.of(0)]));
    await expectCode(openStore(), 'KEYS_UNLOCK');
    await writeFile(path, original);
    await (await openStore())[Symbol.asyncDispose]();
  });
});

describe('the passphrase', () => {
  it('opens nothing when wrong, and is not repeated by the error', async () => {
    await createWithKek();
    const wrong = 'incorrect horse battery';
    await expectCode(openSoftwareKeyStore({ path, passphrase: utf8Encode(wrong) }), 'KEYS_UNLOCK', wrong);
  });

  it.each([0, 7, 1025])('is refused with %i bytes', async (length) => {
    await expectCode(createSoftwareKeyStore({ path, passphrase: new Uint8Array(length), cost }), 'KEYS_PASSPHRASE');
    await expectCode(openSoftwareKeyStore({ path, passphrase: new Uint8Array(length) }), 'KEYS_PASSPHRASE');
  });

  it('is left to the caller to wipe', async () => {
    const mine = passphrase.slice();
    await (await createSoftwareKeyStore({ path, passphrase: mine, cost }))[Symbol.asyncDispose]();
    expect(mine).toEqual(passphrase);
  });

  it('cannot be made cheap to guess', () =>
    expectCode(createSoftwareKeyStore({ path, passphrase, cost: { ...cost, memory: 1024 } }), 'KEYS_KDF_BOUNDS'));
});

describe('the number of keys', () => {
  it('ends at 256', async () => {
    await using store = await createStore();
    for (let index = 0; index < 256; index += 1) {
      await store.create({ id: `key-${index}`, purpose: 'wrap', algorithm: 'AES-256-GCM' });
    }
    await expectCode(store.create({ id: 'more', purpose: 'wrap', algorithm: 'AES-256-GCM' }), 'KEYS_FULL');
  });
});

describe('key bytes', () => {
  it('differ between stores, keys and versions', async () => {
    const wrapWithNew = async () => {
      await rm(path, { force: true });
      await using store = await createStore();
      await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
      return store.wrap('kek', secret, context);
    };
    const first = await wrapWithNew();
    await wrapWithNew();
    await using second = await openStore();
    // Same id, version and context: only the key itself tells them apart.
    await expectCode(second.unwrap(first, context), 'KEYS_UNWRAP');
  });
});

describe('rotation', () => {
  it('wraps under the newest version and unwraps under all', async () => {
    await using store = await createStore();
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    const first = await store.wrap('kek', secret, context);
    expect(await store.rotate('kek')).toMatchObject({ version: 2, versions: [1, 2] });
    const second = await store.wrap('kek', secret, context);
    expect([first.keyVersion, second.keyVersion]).toEqual([1, 2]);
    expect(await store.unwrap(first, context)).toEqual(secret);
    expect(await store.unwrap(second, context)).toEqual(secret);
    await expectCode(store.unwrap({ ...first, keyVersion: 2 }, context), 'KEYS_UNWRAP');
  });

  it('wraps anew, retires the old version, and loses what stayed under it', async () => {
    await using store = await createStore();
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    const old = await store.wrap('kek', secret, context);
    await store.rotate('kek');
    const fresh = await rewrap(store, old, context);
    expect(fresh.keyVersion).toBe(2);
    expect(await store.retire('kek', 2)).toMatchObject({ version: 2, versions: [2] });
    await expectCode(store.unwrap(old, context), 'KEYS_VERSION_UNKNOWN');
    expect(await store.unwrap(fresh, context)).toEqual(secret);
  });

  it('cannot retire the current version', async () => {
    await using store = await createStore();
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    await expectCode(store.retire('kek', 2), 'KEYS_VERSION_UNKNOWN');
    await expectCode(store.retire('kek', 0), 'KEYS_VERSION_UNKNOWN');
  });

  it('ends at 256 versions', async () => {
    await using store = await createStore();
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    for (let version = 2; version <= 256; version += 1) await store.rotate('kek');
    await expectCode(store.rotate('kek'), 'KEYS_FULL');
    expect(await store.retire('kek', 256)).toMatchObject({ versions: [256] });
    expect(await store.rotate('kek')).toMatchObject({ versions: [256, 257] });
  });

  it('is not for signing keys', async () => {
    await using store = await createStore();
    await store.create({ id: 'signer', purpose: 'sign', algorithm: 'Ed25519' });
    await expectCode(store.rotate('signer'), 'KEYS_PURPOSE');
    await expectCode(store.retire('signer', 1), 'KEYS_PURPOSE');
  });
});

describe('several openers', () => {
  it('see each other’s writes and lose none', async () => {
    await using first = await createStore();
    await using second = await openStore();
    await Promise.all([
      first.create({ id: 'a', purpose: 'wrap', algorithm: 'AES-256-GCM' }),
      second.create({ id: 'b', purpose: 'wrap', algorithm: 'AES-256-GCM' }),
      first.create({ id: 'c', purpose: 'sign', algorithm: 'Ed25519' }),
      second.create({ id: 'd', purpose: 'sign', algorithm: 'Ed25519' }),
    ]);
    const ids = (await first.list()).map((key) => key.id);
    expect(ids).toEqual(['a', 'b', 'c', 'd']);
    expect((await second.list()).map((key) => key.id)).toEqual(ids);
    expect(await second.unwrap(await first.wrap('b', secret, context), context)).toEqual(secret);
  });

  it('in other processes lose none either', async () => {
    await createWithKek();
    const program = `
      import { openSoftwareKeyStore } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
      const passphrase = new TextEncoder().encode(${JSON.stringify(phrase)});
      await using store = await openSoftwareKeyStore({ path: process.argv[1], passphrase });
      for (let index = 0; index < 5; index += 1) {
        await store.create({ id: process.argv[2] + index, purpose: 'wrap', algorithm: 'AES-256-GCM' });
      }
    `;
    const run = (prefix: string) =>
      promisify(execFile)(process.execPath, [
        '--conditions=source',
        '--input-type=module',
        '--eval',
        program,
        path,
        prefix,
      ]);
    await Promise.all([run('x'), run('y')]);
    await using store = await openStore();
    expect(await store.list()).toHaveLength(11);
  });

  it('wait for each other, but not forever', async () => {
    await createWithKek();
    await using store = await openSoftwareKeyStore({ path, passphrase, lockTimeout: 100 });
    const other = new DatabaseSync(`${path}.lock`);
    other.exec('BEGIN EXCLUSIVE');
    await expectCode(store.rotate('kek'), 'KEYS_LOCKED');
    // Reading needs no lock.
    expect(await store.list()).toMatchObject([{ id: 'kek', version: 1 }]);
    other.close();
    expect(await store.rotate('kek')).toMatchObject({ version: 2 });
  });

  it('do not write where the lock cannot be taken', async () => {
    await using store = await createStore();
    await mkdir(`${path}.lock`);
    await expectCode(store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' }), 'KEYS_IO');
  });

  it('refuse to go back to an older copy of the file', async () => {
    await using store = await createStore();
    await copyFile(path, `${path}.old`);
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    await copyFile(`${path}.old`, path);
    await expectCode(store.list(), 'KEYS_ROLLBACK');
  });

  it('notice a store that another one replaced', async () => {
    await using store = await createStore();
    await rm(path);
    await (await createStore())[Symbol.asyncDispose]();
    await expectCode(store.list(), 'KEYS_REKEYED');
  });

  it('keep their keys when a change is refused', async () => {
    await using store = await createStore();
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    const wrapped = await store.wrap('kek', secret, context);
    await expectCode(store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' }), 'KEYS_ID_EXISTS');
    expect(await store.unwrap(wrapped, context)).toEqual(secret);
  });
});
