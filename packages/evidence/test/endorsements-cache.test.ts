import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { amdName, forgeCrl, generateKeys } from '@fastness/testkit';
import {
  amdChainRequest,
  amdCrlRequest,
  openEndorsementCache,
  type EndorsementRequest,
} from '../src/endorsements/index.ts';
import { encodeEntry } from '../src/endorsements/cache/entry.ts';
import { codeOf, DAY, fake, forgedAmd, later, now, sourceFor, temporaryDirectory } from './support/endorsements.ts';
import { cacheWorld as world } from './support/cache-world.ts';

const key = new Uint8Array(32).fill(0x4b);

describe('a cache of endorsements', () => {
  it('answers without the network, and in another process as well', async () => {
    const { request, source, service } = await world();
    expect((await (await source()).get(request)).from).toBe('network');
    expect((await (await source()).get(request)).from).toBe('cache');
    expect((await (await source({ offline: true })).get(request)).from).toBe('cache');
    expect(service.requests).toHaveLength(1);
  });

  it('is readable by its owner alone', async () => {
    const { request, source, directory, entryFile } = await world();
    await (await source()).get(request);
    for (const path of [directory, join(directory, 'entries'), join(directory, 'marks')]) {
      expect((await lstat(path)).mode & 0o077).toBe(0);
    }
    expect((await lstat(await entryFile())).mode & 0o777).toBe(0o600);
  });

  it('refreshes a list once a day, and goes on with the old one while the service is down', async () => {
    const { request, source, service, setTime } = await world();
    await (await source()).get(request);
    setTime(later(0.9));
    expect((await (await source()).get(request)).from).toBe('cache');
    setTime(later(1.1));
    service.fail({ kind: 'status', status: 503 });
    expect(await (await source()).get(request)).toMatchObject({
      from: 'cache',
      refreshFailed: 'ENDORSEMENT_UNAVAILABLE',
    });
    service.recover();
    expect((await (await source()).get(request)).from).toBe('network');
  });

  it('never hands out what has expired, whether the service is up or not', async () => {
    const { request, source, service, setTime } = await world();
    await (await source()).get(request);
    setTime(later(31));
    expect(await codeOf((await source()).get(request))).toBe('ENDORSEMENT_STALE');
    service.fail({ kind: 'status', status: 503 });
    expect(await codeOf((await source()).get(request))).toBe('ENDORSEMENT_UNAVAILABLE');
    expect(await codeOf((await source({ offline: true })).get(request))).toBe('ENDORSEMENT_OFFLINE');
  });

  it('does not believe a copy from the future', async () => {
    const { request, source, service, setTime } = await world();
    setTime(later(5));
    await (await source()).get(request);
    setTime(now);
    expect((await (await source()).get(request)).from).toBe('network');
    expect(service.requests).toHaveLength(2);
  });

  it.each([
    [
      'a bit of the body changed',
      (bytes: Uint8Array) => bytes.map((byte, at) => (at === bytes.length - 9 ? byte ^ 1 : byte)),
    ],
    ['a bit of the seal changed', (bytes: Uint8Array) => bytes.map((byte, at) => (at === 5 ? byte ^ 1 : byte))],
    ['another kind of seal', (bytes: Uint8Array) => bytes.map((byte, at) => (at === 0 ? 0x4d : byte))],
    ['cut', (bytes: Uint8Array) => bytes.subarray(0, 100)],
    ['emptied', () => new Uint8Array(0)],
    ['replaced by noise', () => new Uint8Array(4096).fill(0xa5)],
    ['blown up', () => new Uint8Array(9 << 20)],
  ])('drops an entry that was %s and fetches it again', async (_how, edit) => {
    const { request, source, service, entryFile } = await world();
    await (await source()).get(request);
    const file = await entryFile();
    await writeFile(file, edit(new Uint8Array(await readFile(file))));
    expect((await (await source()).get(request)).from).toBe('network');
    expect((await (await source()).get(request)).from).toBe('cache');
    expect(service.requests).toHaveLength(2);
  });

  it('offline, counts a damaged entry as none', async () => {
    const { request, source, entryFile } = await world();
    await (await source()).get(request);
    await writeFile(await entryFile(), 'x');
    expect(await codeOf((await source({ offline: true })).get(request))).toBe('ENDORSEMENT_OFFLINE');
  });

  it('does not use an entry that is well sealed and signed by another root: the seal is no signature', async () => {
    const { request, source, service, entryFile } = await world();
    const first = await (await source()).get(request);
    const forgedList = await listOfStranger();
    await writeFile(await entryFile(), encodeEntry({ ...first.item, body: forgedList }, undefined));
    expect((await (await source()).get(request)).from).toBe('network');
    expect(service.requests).toHaveLength(2);
  });

  it('does not use an authentic entry under the name of another', async () => {
    const { request, source, entryFile, service, issuers } = await world();
    await (await source()).get(request);
    const file = await entryFile();
    const bytes = await readFile(file);
    const vlekName = amdCrlRequest({ kind: 'vlek', product: 'Genoa', chain: issuers });
    // The list of the VCEK endpoint, put where that of the VLEK endpoint would lie.
    const other = join(file, '..', createHash('sha256').update(vlekName.subject).digest('hex'));
    await writeFile(other, bytes);
    expect(await codeOf((await source()).get(vlekName))).toBe('ENDORSEMENT_NOT_FOUND');
    expect(service.requests).toHaveLength(2);
  });

  it('with a key, uses only what the key sealed, although everything is authentic', async () => {
    const { request, source, service, entryFile } = await world({ key });
    const { item } = await (await source()).get(request);
    const file = await entryFile();
    for (const entry of [encodeEntry(item, undefined), encodeEntry(item, new Uint8Array(32).fill(1))]) {
      await writeFile(file, entry);
      expect((await (await source()).get(request)).from).toBe('network');
    }
    await writeFile(file, encodeEntry(item, key));
    expect((await (await source()).get(request)).from).toBe('cache');
    expect(service.requests).toHaveLength(3);
  });

  it('throws out what was used longest ago when it grows beyond its size', async () => {
    const directory = await temporaryDirectory();
    const cache = await openEndorsementCache({ directory, maxBytes: 10_000 });
    const item = (subject: string) => ({
      subject,
      mediaType: 'application/pkix-crl',
      source: 'https://kds.example',
      fetchedAt: now,
      body: new Uint8Array(3_000),
      issuerChain: [],
    });
    const age = async (subject: string, seconds: number): Promise<void> => {
      const path = join(directory, 'entries', createHash('sha256').update(subject).digest('hex'));
      await utimes(path, new Date(Date.now() - seconds * 1000), new Date(Date.now() - seconds * 1000));
    };
    for (const [index, subject] of ['a', 'b', 'c'].entries()) {
      await cache.write(item(subject));
      await age(subject, 100 - index);
    }
    // Reading `a` makes `b` the one used longest ago.
    expect((await cache.read('a'))?.subject).toBe('a');
    await cache.write(item('d'));
    expect(await cache.read('b')).toBeUndefined();
    expect((await cache.read('a'))?.subject).toBe('a');
    expect((await readdir(join(directory, 'entries'))).length).toBe(3);
    // What alone is too large is not kept, and does not push the rest out.
    await cache.write({ ...item('e'), body: new Uint8Array(20_000) });
    expect((await readdir(join(directory, 'entries'))).length).toBe(3);
  });

  it.each([
    ['writable by the group', async (path: string) => chmod(path, 0o770), 'ENDORSEMENT_CACHE_UNSAFE'],
    ['writable by everyone', async (path: string) => chmod(path, 0o707), 'ENDORSEMENT_CACHE_UNSAFE'],
    ['a link', async (path: string) => replace(path, async () => symlink('/tmp', path)), 'ENDORSEMENT_CACHE_UNSAFE'],
    ['a file', async (path: string) => replace(path, async () => writeFile(path, '')), 'ENDORSEMENT_CACHE_FAILED'],
  ])('refuses a directory that is %s', async (_what, spoil, code) => {
    const directory = join(await temporaryDirectory(), 'cache');
    await mkdir(directory, { mode: 0o700 });
    await spoil(directory);
    expect(await codeOf(openEndorsementCache({ directory }))).toBe(code);
  });

  it('refuses a key that is none, and marks that cannot be read: they must not count as none', async () => {
    const { request, source, directory } = await world();
    expect(await codeOf(openEndorsementCache({ directory, key: new Uint8Array(16) }))).toBe('ENDORSEMENT_CACHE_FAILED');
    await (await source()).get(request);
    const [folder = ''] = await readdir(join(directory, 'marks'));
    await replace(join(directory, 'marks', folder), async () => writeFile(join(directory, 'marks', folder), ''));
    expect(await codeOf((await source()).get(request))).toBe('ENDORSEMENT_CACHE_FAILED');
  });

  it('keeps no file of a writer that died', async () => {
    const { request, source, directory } = await world();
    const entries = join(directory, 'entries');
    await mkdir(entries, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    const left = join(entries, '.abandoned');
    await writeFile(left, 'half of an entry');
    const old = new Date(Date.now() - DAY);
    await utimes(left, old, old);
    await (await source()).get(request);
    expect(await readdir(entries)).toHaveLength(1);
  });
});

describe('processes that share a cache', () => {
  it('write the same entry without harm', async () => {
    const { request, source, service } = await world();
    const sources = await Promise.all(Array.from({ length: 8 }, async () => source()));
    const got = await Promise.all(sources.map(async (each) => each.get(request)));
    expect(new Set(got.map(({ item }) => Buffer.from(item.body).toString('hex'))).size).toBe(1);
    expect(service.requests.length).toBeGreaterThan(0);
    expect((await (await source({ offline: true })).get(request)).from).toBe('cache');
  });
});

it('keeps certificates without marks: an older one replaces a newer one', async () => {
  const { anchors, routes } = await forgedAmd();
  const service = await fake(routes);
  const directory = await temporaryDirectory();
  const cache = await openEndorsementCache({ directory });
  const request: EndorsementRequest = amdChainRequest({ kind: 'vcek', product: 'Genoa' });
  await sourceFor({ anchors, services: { amd: service.url }, cache }).get(request);
  expect(await readdir(join(directory, 'marks'))).toEqual([]);
});

/** A list in the name of the root, signed with another key. */
async function listOfStranger(): Promise<Uint8Array> {
  const keys = await generateKeys('rsa-2048');
  return forgeCrl({
    issuer: { name: amdName('ARK-Genoa'), keys },
    thisUpdate: later(-1),
    nextUpdate: later(30),
    number: 99,
  });
}

async function replace(path: string, make: () => Promise<unknown>): Promise<void> {
  await rm(path, { recursive: true });
  await make();
}
