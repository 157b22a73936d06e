import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSoftwareKeyStore, kdfBounds, type KeyStore } from '@fastness/keys';
import { utf8Encode } from '@fastness/codec/bytes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessPayloadType } from '../src/access/access-document.ts';
import { apiKeyDigest, apiKeyId, newApiKey, readAccess, signAccess, type Access } from '../src/access/index.ts';
import { encodeDsse, preAuthEncoding } from '../src/release/dsse.ts';
import { codeOf } from './support/expect-code.ts';

const key = newApiKey();
const tenant = { id: 'A'.repeat(22), keys: [{ id: key.id, sha256: key.sha256 }], limits: { requestsPerMinute: 6 } };
const access: Access = {
  format: 'fastness/access/v1',
  modelId: 'acme/model',
  version: 3,
  expires: '2026-12-01T00:00:00Z',
  tenants: [tenant],
};

let folder: string;
let keyStore: KeyStore;
const rule = async (keyId = 'owner', leastVersion = 3, modelId = 'acme/model') => ({
  modelId,
  access: { key: Buffer.from(await keyStore.publicKey(keyId)).toString('base64url'), leastVersion },
});
/** Whatever `content` is, really signed. */
async function forge(content: unknown, payloadType = accessPayloadType, signatures = 1): Promise<string> {
  const payload = utf8Encode(JSON.stringify(content));
  const signature = await keyStore.sign('owner', preAuthEncoding(payloadType, payload));
  const list = Array.from({ length: signatures }, () => ({ signature, keyId: '' }));
  return JSON.stringify(encodeDsse({ payloadType, payload, signatures: list }));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-access-'));
  const cost = { memory: kdfBounds.memory.min, passes: kdfBounds.passes.min, parallelism: 1 };
  keyStore = await createSoftwareKeyStore({ path: join(folder, 'keys'), passphrase: utf8Encode('passphrase'), cost });
  await keyStore.create({ id: 'owner', purpose: 'sign', algorithm: 'P-384' });
  await keyStore.create({ id: 'other', purpose: 'sign', algorithm: 'P-384' });
});
afterAll(async () => {
  await keyStore[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

describe('a list of tenants', () => {
  it('is read back as it was signed', async () => {
    const { path } = await signAccess({ dir: folder, access, keyStore, keyId: 'owner' });
    const text = await readFile(path, 'utf8');
    expect(await readAccess(text, await rule())).toEqual(access);
    expect(text).not.toContain(key.key);
  });

  it('is refused under another key, for another model, when older than asked, and when changed', async () => {
    const text = await forge(access);
    expect(await codeOf(async () => readAccess(text, await rule('other')))).toBe('ACCESS_SIGNATURE');
    expect(await codeOf(async () => readAccess(text, await rule('owner', 3, 'acme/else')))).toBe('ACCESS_OTHER_MODEL');
    expect(await codeOf(async () => readAccess(text, await rule('owner', 4)))).toBe('ACCESS_OLDER');
    const raised: { payload: string } = JSON.parse(text);
    raised.payload = Buffer.from(
      Buffer.from(raised.payload, 'base64').toString().replace('"requestsPerMinute":6', '"requestsPerMinute":9'),
    ).toString('base64');
    expect(await codeOf(async () => readAccess(JSON.stringify(raised), await rule()))).toBe('ACCESS_SIGNATURE');
  });

  it.each([
    ['no JSON', async () => '{'],
    ['another kind of payload', async () => forge(access, 'application/vnd.fastness.approval+json')],
    ['two signatures', async () => forge(access, accessPayloadType, 2)],
    ['an unknown member', async () => forge({ ...access, admin: true })],
    ['a limit below one', async () => forge({ ...access, tenants: [{ ...tenant, limits: { concurrent: 0 } }] })],
    ['one tenant twice', async () => forge({ ...access, tenants: [tenant, { ...tenant, keys: [] }] })],
    ['one key of two tenants', async () => forge({ ...access, tenants: [tenant, { ...tenant, id: 'B'.repeat(22) }] })],
    ['no end', async () => forge({ ...access, expires: undefined })],
  ])('is malformed with %s', async (_name, text) => {
    const given = await text();
    expect(await codeOf(async () => readAccess(given, await rule()))).toBe('ACCESS_MALFORMED');
  });
});

describe('API keys', () => {
  it('have one size, a name, and a digest of their own', () => {
    const other = newApiKey();
    expect([key.key.length, other.key.length]).toEqual([64, 64]);
    expect(apiKeyId(key.key)).toBe(key.id);
    expect(apiKeyDigest(key.key).toString('hex')).toBe(key.sha256);
    expect(key.sha256).not.toBe(other.sha256);
    for (const text of ['', 'sk-proj-abc', key.key.slice(1), `${key.key}x`, key.key.replace('fsk_', 'fsk-')]) {
      expect(apiKeyId(text)).toBeUndefined();
    }
  });
});
