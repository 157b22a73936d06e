import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { toBase64, toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import {
  forgeRelease,
  forgeVaultSigner,
  startFakeAzureKeyVault,
  wrapReleased,
  type ForgeReleaseOptions,
} from '@fastness/testkit/cloud';
import { describe, expect, it } from 'vitest';
import {
  openReleasedKey,
  releaseAzureKey,
  type OpenReleasedKeyOptions,
  type ReleaseAzureKeyOptions,
} from '../src/cloud/azure-key-vault.ts';
import { expectCode } from './conformance.ts';

const host = 'forged.managedhsm.azure.net';
const vaultUrl = `https://${host}`;
const version = '0123456789abcdef'.repeat(2);
const kid = `${vaultUrl}/keys/model-key/${version}`;
const now = new Date('2026-06-01T12:00:00Z');
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicKey = createPublicKey(privateKey);
const key = new Uint8Array(randomBytes(32));
const nonce = 'a-nonce-of-this-request';
const signer = await forgeVaultSigner({ host, now });

const forge = (options: Partial<ForgeReleaseOptions> = {}): Promise<string> =>
  forgeRelease({ signer, kid, nonce, publicKey, key, ...options });

function open(token: string, options: Partial<OpenReleasedKeyOptions> = {}) {
  const { root } = signer;
  const usual = { vaultUrl, name: 'model-key', nonce, algorithm: 'RSA_AES_KEY_WRAP_256', privateKey } as const;
  return openReleasedKey({ ...usual, token, anchors: [root], now, ...options });
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return error instanceof FastnessError ? error.code : String(error);
  }
}

type Loose = Record<string, never>;

describe('released keys', () => {
  it('open, symmetric and PKCS #8, with either hash, with and without the root in the chain', async () => {
    expect(open(await forge())).toEqual({ kid, keyType: 'oct-HSM', key });
    expect(open(await forge(), { version }).key).toEqual(key);
    const pkcs8 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({
      format: 'der',
      type: 'pkcs8',
    });
    expect(Buffer.from(open(await forge({ key: new Uint8Array(pkcs8), keyType: 'EC-HSM' })).key)).toEqual(pkcs8);
    const algorithm = 'RSA_AES_KEY_WRAP_384';
    expect(open(await forge({ enc: algorithm }), { algorithm }).key).toEqual(key);
    expect(open(await forge({ header: { x5c: [toBase64(signer.leaf)] } })).key).toEqual(key);
    expect(open(await forge(), { anchors: [signer.leaf, signer.root] }).key).toEqual(key);
  });

  it('are refused with every byte of the token changed', async () => {
    const token = await forge();
    for (let index = 0; index < token.length; index += 1) {
      const other = token[index] === 'A' ? 'B' : 'A';
      const changed = `${token.slice(0, index)}${other}${token.slice(index + 1)}`;
      expect(codeOf(() => open(changed))).toBe('KEYS_RELEASE_TOKEN');
    }
  });

  it.each<[string, (token: string) => string]>([
    ['nothing', () => ''],
    ['two parts', (token) => token.split('.').slice(0, 2).join('.')],
    ['four parts', (token) => `${token}.x`],
    ['no signature', (token) => `${token.split('.').slice(0, 2).join('.')}.`],
    ['padding', (token) => `${token}=`],
    ['much', (token) => token.padEnd(70_000, 'A')],
    ['text', () => 'a.b.c'],
  ])('are refused: %s', async (_, edit) => {
    const token = await forge();
    expect(codeOf(() => open(edit(token)))).toBe('KEYS_RELEASE_TOKEN');
  });

  it.each<[string, Record<string, unknown>]>([
    ['no algorithm', { alg: undefined }],
    ['alg none', { alg: 'none' }],
    ['HMAC', { alg: 'HS256' }],
    ['another algorithm', { alg: 'RS512' }],
    ['no certificates', { x5c: [] }],
    ['certificates that are none', { x5c: ['AAAA'] }],
    ['certificates that are no text', { x5c: [5] }],
    ['a critical extension', { crit: ['b64'] }],
    ['the chain upside down', { x5c: [toBase64(signer.root), toBase64(signer.leaf)] }],
    ['the leaf twice', { x5c: [toBase64(signer.leaf), toBase64(signer.leaf)] }],
    ['the root alone', { x5c: [toBase64(signer.root)] }],
    ['a key of its own choice', { x5c: undefined, jwk: { kty: 'RSA' } }],
  ])('are refused by their header: %s', async (_, header) => {
    const token = await forge({ header });
    expect(codeOf(() => open(token))).toBe('KEYS_RELEASE_TOKEN');
  });

  it('are refused under other anchors, for other hosts and at other times', async () => {
    const token = await forge();
    expect(codeOf(() => open(token, { anchors: [] }))).toBe('KEYS_RELEASE_TOKEN');
    const other = await forgeVaultSigner({ host, now: new Date('2026-06-01T13:00:00Z') });
    expect(codeOf(() => open(token, { anchors: [other.leaf] }))).toBe('KEYS_RELEASE_TOKEN');
    const elsewhere = { signer: await forgeVaultSigner({ host: 'other.managedhsm.azure.net', now }) };
    expect(codeOf(() => open(token, { now: new Date('2026-07-01') }))).toBe('KEYS_RELEASE_TOKEN');
    expect(codeOf(() => open(token, { now: new Date('2026-05-01') }))).toBe('KEYS_RELEASE_TOKEN');
    const foreign = await forge(elsewhere);
    expect(codeOf(() => open(foreign))).toBe('KEYS_RELEASE_TOKEN');
    const old = { notBefore: new Date('2026-01-01'), notAfter: new Date('2026-02-01') };
    const expired = await forge({ signer: await forgeVaultSigner({ host, now, leafValidity: old }) });
    expect(codeOf(() => open(expired))).toBe('KEYS_RELEASE_TOKEN');
    const authority = await forge({ signer: await forgeVaultSigner({ host, now, leafCa: true }) });
    expect(codeOf(() => open(authority))).toBe('KEYS_RELEASE_TOKEN');
    const weak = await forgeVaultSigner({ host, now, rootCa: false });
    const under = await forge({ signer: weak });
    expect(codeOf(() => open(under, { anchors: [weak.root] }))).toBe('KEYS_RELEASE_TOKEN');
  });

  it('are refused for another request or key', async () => {
    const replay = 'KEYS_RELEASE_REPLAY';
    const token = await forge();
    expect(codeOf(() => open(token, { nonce: 'another' }))).toBe(replay);
    expect(codeOf(() => open(token, { name: 'other-key' }))).toBe(replay);
    expect(codeOf(() => open(token, { name: 'model' }))).toBe(replay);
    expect(codeOf(() => open(token, { version: 'f'.repeat(32) }))).toBe(replay);
    expect(codeOf(() => open(token, { algorithm: 'RSA_AES_KEY_WRAP_384' }))).toBe(replay);
    for (const other of [`${kid}0`, `${vaultUrl}/keys/model-key/`, 'https://evil.example/keys/model-key/x']) {
      const foreign = await forge({ kid: other });
      expect(codeOf(() => open(foreign))).toBe(replay);
    }
    const sha1 = await forge({ enc: 'CKM_RSA_AES_KEY_WRAP' });
    expect(codeOf(() => open(sha1))).toBe(replay);
    const payload = (value: Record<string, unknown>) => ({
      ...value,
      request: { ...(value['request'] as Loose), kid: 'x' },
    });
    const mixed = await forge({ payload });
    expect(codeOf(() => open(mixed))).toBe(replay);
  });

  it.each<[string, (payload: Record<string, unknown>) => unknown]>([
    ['no request', ({ response }) => ({ response })],
    ['no nonce', (payload) => ({ ...payload, request: { enc: 'RSA_AES_KEY_WRAP_256', kid } })],
    ['no response', ({ request }) => ({ request })],
    ['no key', (payload) => ({ ...payload, response: {} })],
    ['a list', () => []],
    ['a number', () => 5],
  ])('are refused by their payload: %s', async (_, payload) => {
    const token = await forge({ payload });
    expect(codeOf(() => open(token))).toBe('KEYS_RELEASE_TOKEN');
  });

  it('do not open with another key or when damaged, in one way', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const token = await forge();
    for (const wrong of [other, ec, publicKey]) {
      expect(codeOf(() => open(token, { privateKey: wrong }))).toBe('KEYS_RELEASE_OPEN');
    }
    const good = wrapReleased(key, publicKey, 'sha256');
    const seen = new Set<string>();
    for (const index of [0, 100, 255, 256, 270, good.length - 1]) {
      const ciphertext = toBase64Url(good.map((byte, position) => (position === index ? byte ^ 1 : byte)));
      const damaged = await forge({ keyHsm: { ciphertext } });
      try {
        open(damaged);
        expect.unreachable();
      } catch (error) {
        if (!(error instanceof FastnessError)) throw error;
        seen.add(JSON.stringify([error.code, error.message, error.cause]));
      }
    }
    expect(seen.size).toBe(1);
    for (const length of [0, 255, 256, 264, 271]) {
      const short = await forge({ keyHsm: { ciphertext: toBase64Url(good.slice(0, length)) } });
      expect(codeOf(() => open(short))).toBe('KEYS_RELEASE_OPEN');
    }
    for (const keyHsm of [{}, { ciphertext: 5 }, { ciphertext: '=' }, 'text']) {
      const odd = await forge({ keyHsm });
      expect(codeOf(() => open(odd))).toBe('KEYS_RELEASE_TOKEN');
    }
  });
});

describe('secure key release', () => {
  const attested = (claims: Record<string, unknown> = { tee: 'sevsnpvm' }): string => {
    const runtime = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'enclave', use: 'enc' }] };
    const payload = toBase64Url(utf8Encode(JSON.stringify({ ...claims, 'x-ms-runtime': runtime })));
    return `e30.${payload}.signature`;
  };

  async function start() {
    const fake = await startFakeAzureKeyVault();
    fake.releasable.set('model-key', { version, key, claims: { tee: 'sevsnpvm' } });
    const options: ReleaseAzureKeyOptions = {
      vaultUrl: fake.url,
      credential: fake.credential,
      name: 'model-key',
      attestationToken: attested(),
      privateKey,
      anchors: [fake.signer.root],
      now: new Date(),
      clientOptions: {
        retryOptions: { maxRetries: 0 },
        ...fake.clientOptions,
      },
    };
    return { fake, options };
  }

  it('gives the key to the enclave that the policy asks for, by name and by version', async () => {
    const { fake, options } = await start();
    await using _ = fake;
    expect((await releaseAzureKey(options)).key).toEqual(key);
    expect((await releaseAzureKey({ ...options, version })).key).toEqual(key);
    const sent = fake.service.requests.map(({ body }) => Buffer.from(body).toString()).filter((body) => body !== '');
    expect(new Set(sent.map((body) => /"nonce":"([^"]+)"/.exec(body)?.[1])).size).toBe(sent.length);
  });

  it('gives it to no other', async () => {
    const { fake, options } = await start();
    await using _ = fake;
    const other = { ...options, attestationToken: attested({ tee: 'none' }) };
    await expectCode(releaseAzureKey(other), 'KEYS_CLOUD_ATTESTATION', other.attestationToken);
    await expectCode(releaseAzureKey({ ...options, attestationToken: 'x' }), 'KEYS_CLOUD_ATTESTATION');
    await expectCode(releaseAzureKey({ ...options, name: 'absent' }), 'KEYS_CLOUD_NOT_FOUND');
    await expectCode(releaseAzureKey({ ...options, name: '../x' }), 'KEYS_ID_INVALID');
    await expectCode(releaseAzureKey({ ...options, vaultUrl: 'https://evil.example' }), 'KEYS_URI');
    await expectCode(releaseAzureKey({ ...options, signal: AbortSignal.abort() }), 'KEYS_CLOUD_ABORTED');
  });

  it('takes no answer that was given before, and none from somebody else', async () => {
    const { fake, options } = await start();
    await using _ = fake;
    let first: Record<string, unknown> = {};
    const keep = (answer: Record<string, unknown>) => (first = answer);
    fake.faults.plan('release', { kind: 'alter', alter: keep }, 1);
    await releaseAzureKey(options);
    fake.faults.plan('release', { kind: 'alter', alter: () => first }, 1);
    await expectCode(releaseAzureKey(options), 'KEYS_RELEASE_REPLAY');
    await expectCode(releaseAzureKey({ ...options, anchors: [signer.leaf] }), 'KEYS_RELEASE_TOKEN');
  });
});
