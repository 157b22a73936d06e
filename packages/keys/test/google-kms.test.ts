import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32c, utf8Encode } from '@fastness/codec/bytes';
import type { ErrorCode } from '@fastness/codec/errors';
import { startFakeGoogleKms, type CloudFault, type FakeGoogleKms } from '@fastness/testkit/cloud';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openGoogleKmsKeyStore, type GoogleKmsOptions } from '../src/cloud/google-kms.ts';
import type { ManagedKeyStore, WrappedKey } from '../src/index.ts';
import { describeKeyStore, expectCode } from './conformance.ts';

const context = utf8Encode('a context nobody should read');
const secret = utf8Encode('0123456789abcdef0123456789abcdef');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-google-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function open(fake: FakeGoogleKms, options: Partial<GoogleKmsOptions> = {}): Promise<ManagedKeyStore> {
  const path = join(folder, `${fake.subjectToken}.jwt`);
  await writeFile(path, fake.subjectToken, { mode: 0o600 });
  const { url: endpoint, keyRing } = fake;
  return openGoogleKmsKeyStore({ endpoint, keyRing, credentials: fake.credentials(path), ...options });
}

describeKeyStore('Google Cloud KMS', () => {
  let fake: FakeGoogleKms;
  return {
    async create() {
      fake = await startFakeGoogleKms();
      return open(fake);
    },
    reopen: () => open(fake),
    signing: ['P-256', 'P-384', 'Ed25519'],
  };
});

describe('CRC-32C', () => {
  it('gives the values of RFC 3720', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a91_36aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8_ab43);
    expect(crc32c(new Uint8Array(32).map((_, index) => index))).toBe(0x46dd_794e);
    expect(crc32c(utf8Encode('123456789'))).toBe(0xe306_9283);
  });
});

describe('Google Cloud KMS', () => {
  let fake: FakeGoogleKms;
  let store: ManagedKeyStore;
  let wrapped: WrappedKey;

  beforeEach(async () => {
    fake = await startFakeGoogleKms();
    store = await open(fake);
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    wrapped = await store.wrap('kek', secret, context);
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
  });

  const error = (name: string, status: number, message?: string): CloudFault => ({
    kind: 'error',
    name,
    status,
    ...(message === undefined ? {} : { message }),
  });
  const alter = (fields: Record<string, unknown>): CloudFault => ({
    kind: 'alter',
    alter: (answer) => ({ ...answer, ...fields }),
  });
  const without = (name: string): CloudFault => ({
    kind: 'alter',
    alter: (answer) => Object.fromEntries(Object.entries(answer).filter(([key]) => key !== name)),
  });

  describe.each<[string, CloudFault, ErrorCode]>([
    ['denied', error('PERMISSION_DENIED', 403), 'KEYS_CLOUD_DENIED'],
    ['throttled', error('RESOURCE_EXHAUSTED', 429), 'KEYS_CLOUD_THROTTLED'],
    ['gone', error('NOT_FOUND', 404), 'KEYS_CLOUD_NOT_FOUND'],
    ['an internal failure', error('INTERNAL', 500), 'KEYS_CLOUD_UNAVAILABLE'],
    ['an unknown failure', error('DATA_LOSS', 500), 'KEYS_CLOUD_FAILED'],
    ['an invalid ciphertext', error('INVALID_ARGUMENT', 400), 'KEYS_UNWRAP'],
    [
      'a checksum that did not match there',
      error('INVALID_ARGUMENT', 400, 'The checksum in ciphertext_crc32c'),
      'KEYS_CLOUD_INTEGRITY',
    ],
    ['disabled', error('FAILED_PRECONDITION', 400, 'current state is: DISABLED'), 'KEYS_DISABLED'],
    [
      'waiting for destruction',
      error('FAILED_PRECONDITION', 400, 'current state is: DESTROY_SCHEDULED'),
      'KEYS_CLOUD_PENDING_DELETION',
    ],
    ['in another state', error('FAILED_PRECONDITION', 400), 'KEYS_CLOUD_CONFLICT'],
    ['a token that expired', error('UNAUTHENTICATED', 401), 'KEYS_CLOUD_CREDENTIALS'],
    ['an altered plaintext', alter({ plaintext: Buffer.alloc(32, 7).toString('base64') }), 'KEYS_CLOUD_INTEGRITY'],
    ['a wrong checksum', alter({ plaintextCrc32c: '1' }), 'KEYS_CLOUD_INTEGRITY'],
    ['no checksum', without('plaintextCrc32c'), 'KEYS_CLOUD_INTEGRITY'],
    ['no plaintext', without('plaintext'), 'KEYS_CLOUD_PROTOCOL'],
    ['software', alter({ protectionLevel: 1 }), 'KEYS_HARDWARE_REQUIRED'],
    ['no protection level', without('protectionLevel'), 'KEYS_HARDWARE_REQUIRED'],
  ])('decrypt answers: %s', (_, fault, code) => {
    it(`is ${code}, and the next answer is taken again`, async () => {
      fake.faults.plan('decrypt', fault, 1);
      await expectCode(store.unwrap(wrapped, context), code, fake.accessToken);
      expect(await store.unwrap(wrapped, context)).toEqual(secret);
    });
  });

  it.each<[string, CloudFault, ErrorCode]>([
    ['an altered ciphertext', alter({ ciphertext: 'AAAA' }), 'KEYS_CLOUD_INTEGRITY'],
    ['a request that was altered', alter({ verifiedPlaintextCrc32c: false }), 'KEYS_CLOUD_INTEGRITY'],
    ['a context that was altered', without('verifiedAdditionalAuthenticatedDataCrc32c'), 'KEYS_CLOUD_INTEGRITY'],
    ['another key', alter({ name: 'projects/x' }), 'KEYS_CLOUD_WRONG_KEY'],
    ['software', alter({ protectionLevel: 1 }), 'KEYS_HARDWARE_REQUIRED'],
  ])('encrypt answers: %s', async (_, fault, code) => {
    fake.faults.plan('encrypt', fault, 1);
    await expectCode(store.wrap('kek', secret, context), code);
    await store.wrap('kek', secret, context);
  });

  it.each<[string, CloudFault, ErrorCode]>([
    ['an altered signature', alter({ signature: 'AAAA' }), 'KEYS_CLOUD_INTEGRITY'],
    [
      'a signature of something else',
      alter({ signature: 'AAAA', signatureCrc32c: String(crc32c(new Uint8Array(3))) }),
      'KEYS_CLOUD_INTEGRITY',
    ],
    ['a digest that was altered', alter({ verifiedDigestCrc32c: false }), 'KEYS_CLOUD_INTEGRITY'],
    ['another key', alter({ name: 'projects/x' }), 'KEYS_CLOUD_WRONG_KEY'],
  ])('asymmetricSign answers: %s', async (_, fault, code) => {
    await store.create({ id: 'signer', purpose: 'sign', algorithm: 'P-256' });
    fake.faults.plan('asymmetricSign', fault, 1);
    await expectCode(store.sign('signer', utf8Encode('release 7')), code);
    await store.sign('signer', utf8Encode('release 7'));
  });

  it('refuses an altered public key', async () => {
    await store.create({ id: 'signer', purpose: 'sign', algorithm: 'P-256' });
    fake.faults.plan('getPublicKey', alter({ pemCrc32c: '5' }), 1);
    await expectCode(store.publicKey('signer'), 'KEYS_CLOUD_INTEGRITY');
    await store.publicKey('signer');
  });

  it('makes keys in HSMs, and refuses others where hardware is asked for', async () => {
    const soft = await open(fake, { requireHardware: false });
    expect(soft.hardware).toBe(false);
    expect(soft.description).toMatch(/no hardware/);
    await soft.create({ id: 'soft', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    const kept = await soft.wrap('soft', secret, context);
    expect(await soft.unwrap(kept, context)).toEqual(secret);
    await store.list();
    await expectCode(store.wrap('soft', secret, context), 'KEYS_HARDWARE_REQUIRED');
    await expectCode(store.unwrap(kept, context), 'KEYS_HARDWARE_REQUIRED');
    await soft[Symbol.asyncDispose]();
  });

  it("rotates to a new version of Google's own, makes it the primary one, and retires the older", async () => {
    expect(await store.rotate('kek')).toMatchObject({ version: 2, versions: [1, 2] });
    expect(fake.keys.get('kek')?.primary).toBe(2);
    const second = await store.wrap('kek', secret, context);
    expect(second.keyVersion).toBe(2);
    expect(await store.unwrap(wrapped, context)).toEqual(secret);
    await expectCode(store.unwrap({ ...second, keyVersion: 1 }, context), 'KEYS_UNWRAP');
    expect(await store.retire('kek', 2)).toMatchObject({ version: 2, versions: [2] });
    await expectCode(store.unwrap(wrapped, context), 'KEYS_CLOUD_PENDING_DELETION');
  });

  it('disables, enables, and destroys only what is disabled', async () => {
    await store.disable('kek');
    await expectCode(store.unwrap(wrapped, context), 'KEYS_DISABLED');
    await expectCode(store.wrap('kek', secret, context), 'KEYS_DISABLED');
    await store.enable('kek');
    await expectCode(store.destroy('kek'), 'KEYS_NOT_DISABLED');
    await store.disable('kek');
    await store.destroy('kek');
    expect(await store.list()).toEqual([]);
    const again = { id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' } as const;
    await expectCode(store.create(again), 'KEYS_ID_EXISTS');
  });

  it('reads all pages and keeps dots in ids', async () => {
    for (const id of ['a.b', 'a-b', 'a_b']) await store.create({ id, purpose: 'wrap', algorithm: 'AES-256-GCM' });
    expect((await store.list()).map(({ id }) => id)).toEqual(['a-b', 'a.b', 'a_b', 'kek']);
    for (let round = 0; round < 4; round += 1) await store.rotate('kek');
    expect((await store.list()).at(-1)?.versions).toEqual([1, 2, 3, 4, 5]);
  });

  it('sends neither the key nor the context to the service', () => {
    const sent = fake.service.requests.map(({ body }) => Buffer.from(body).toString()).join('\n');
    for (const hidden of [secret, context]) {
      expect(sent).not.toContain(Buffer.from(hidden).toString('base64').slice(0, 20));
    }
  });

  it('gives up in time, and is ended by its signal', async () => {
    const abort = new AbortController();
    const hasty = await open(fake, { timeout: 2500, signal: abort.signal });
    await hasty.list();
    fake.service.fail({ kind: 'slow', ms: 6000 }, { times: 2 });
    await expectCode(hasty.unwrap(wrapped, context), 'KEYS_CLOUD_TIMEOUT');
    const waiting = hasty.unwrap(wrapped, context);
    abort.abort();
    await expectCode(waiting, 'KEYS_CLOUD_ABORTED');
    await hasty[Symbol.asyncDispose]();
  });

  it('tries again what was no answer of the service, until the time is over', async () => {
    const portal = { kind: 'instead', answer: { body: '<html>a portal</html>' } } as const;
    fake.service.fail(portal, { times: 1 });
    expect(await store.unwrap(wrapped, context)).toEqual(secret);
    const hasty = await open(fake, { timeout: 3000 });
    await hasty.list();
    fake.service.fail(portal);
    await expectCode(hasty.unwrap(wrapped, context), 'KEYS_CLOUD_TIMEOUT');
    await hasty[Symbol.asyncDispose]();
  });

  it('refuses a workload whose token is not accepted, and repeats no token', async () => {
    const path = join(folder, 'wrong.jwt');
    await writeFile(path, 'header.of-somebody-else.signature', { mode: 0o600 });
    const stranger = await open(fake, { credentials: fake.credentials(path) });
    await expectCode(stranger.list(), 'KEYS_CLOUD_CREDENTIALS', 'of-somebody-else');
    await stranger[Symbol.asyncDispose]();
  });

  it.each([
    [{ keyRing: 'projects/p/locations/l' }],
    [{ endpoint: 'http://example.com' }],
    [{ endpoint: 'nothing' }],
    [{ deletionDays: 0 }],
  ])('refuses %j', async (options) => {
    await expectCode(open(fake, options), 'KEYS_URI');
  });
});
