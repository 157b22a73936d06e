import { generateKeyPairSync } from 'node:crypto';
import { utf8Encode } from '@fastness/codec/bytes';
import type { ErrorCode } from '@fastness/codec/errors';
import { forgeNitroChain, forgeNitroDocument } from '@fastness/testkit';
import { startFakeAwsKms, type CloudFault, type FakeAwsKms, type FakeAwsKmsOptions } from '@fastness/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openAwsKmsKeyStore, type AwsKmsOptions } from '../src/cloud/aws-kms.ts';
import type { ManagedKeyStore, WrappedKey } from '../src/index.ts';
import { describeKeyStore, expectCode } from './conformance.ts';

const context = utf8Encode('a context nobody should read');
const secret = utf8Encode('0123456789abcdef0123456789abcdef');

function open(fake: FakeAwsKms, options: Partial<AwsKmsOptions> = {}): ManagedKeyStore {
  const { region, url: endpoint, identity: credentials } = fake;
  return openAwsKmsKeyStore({ region, endpoint, credentials, attempts: 1, ...options });
}

describeKeyStore('AWS KMS', () => {
  let fake: FakeAwsKms;
  return {
    async create() {
      fake = await startFakeAwsKms();
      return open(fake);
    },
    reopen: () => Promise.resolve(open(fake)),
    signing: ['P-256', 'P-384', 'Ed25519'],
  };
});

describe('AWS KMS', () => {
  let fake: FakeAwsKms;
  let store: ManagedKeyStore;
  let wrapped: WrappedKey;

  const start = async (options: FakeAwsKmsOptions = {}) => {
    fake = await startFakeAwsKms(options);
    store = open(fake);
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    wrapped = await store.wrap('kek', secret, context);
  };
  beforeEach(() => start());
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
  });

  const error = (name: string, status = 400, message?: string): CloudFault => ({
    kind: 'error',
    name,
    status,
    ...(message === undefined ? {} : { message }),
  });

  describe.each<[string, CloudFault, ErrorCode]>([
    ['throttled', error('ThrottlingException'), 'KEYS_CLOUD_THROTTLED'],
    ['denied', error('AccessDeniedException'), 'KEYS_CLOUD_DENIED'],
    ['disabled', error('DisabledException', 409), 'KEYS_DISABLED'],
    [
      'waiting for deletion',
      error('KMSInvalidStateException', 409, 'arn is pending deletion.'),
      'KEYS_CLOUD_PENDING_DELETION',
    ],
    ['in another state', error('KMSInvalidStateException', 409, 'arn is creating.'), 'KEYS_CLOUD_CONFLICT'],
    ['another key', error('IncorrectKeyException'), 'KEYS_UNWRAP'],
    ['an invalid ciphertext', error('InvalidCiphertextException'), 'KEYS_UNWRAP'],
    ['gone', error('NotFoundException'), 'KEYS_CLOUD_NOT_FOUND'],
    ['of another use', error('InvalidKeyUsageException'), 'KEYS_CLOUD_USAGE'],
    ['unavailable', error('KeyUnavailableException', 500), 'KEYS_CLOUD_UNAVAILABLE'],
    ['an internal failure', error('KMSInternalException', 500), 'KEYS_CLOUD_UNAVAILABLE'],
    ['a failure without a name', error('Odd', 503), 'KEYS_CLOUD_UNAVAILABLE'],
    ['an expired token', error('ExpiredTokenException'), 'KEYS_CLOUD_CREDENTIALS'],
    ['an error nobody knows', error('NewException'), 'KEYS_CLOUD_FAILED'],
    [
      'another key echoed',
      { kind: 'alter', alter: (answer) => ({ ...answer, KeyId: 'arn:aws:kms:x' }) },
      'KEYS_CLOUD_WRONG_KEY',
    ],
    ['no plaintext', { kind: 'alter', alter: ({ KeyId }) => ({ KeyId }) }, 'KEYS_CLOUD_PROTOCOL'],
    [
      'an altered plaintext',
      { kind: 'alter', alter: (answer) => ({ ...answer, Plaintext: Buffer.alloc(32, 7).toString('base64') }) },
      'KEYS_UNWRAP',
    ],
    ['a short plaintext', { kind: 'alter', alter: (answer) => ({ ...answer, Plaintext: 'AAAA' }) }, 'KEYS_UNWRAP'],
  ])('Decrypt answers: %s', (_, fault, code) => {
    it(`is ${code}, and the next answer is taken again`, async () => {
      fake.faults.plan('Decrypt', fault, 1);
      await expectCode(store.unwrap(wrapped, context), code, fake.identity.secretAccessKey);
      expect(await store.unwrap(wrapped, context)).toEqual(secret);
    });
  });

  it('refuses an altered ciphertext of Encrypt before anybody relies on it', async () => {
    const alter = (answer: Record<string, unknown>) => {
      const blob = Buffer.from(String(answer['CiphertextBlob']), 'base64');
      blob[40] = (blob[40] ?? 0) ^ 1;
      return { ...answer, CiphertextBlob: blob.toString('base64') };
    };
    fake.faults.plan('Encrypt', { kind: 'alter', alter }, 2);
    await expectCode(store.wrap('kek', secret, context), 'KEYS_CLOUD_INTEGRITY');
    const trusting = open(fake, { tryWrapped: false });
    const lost = await trusting.wrap('kek', secret, context);
    await expectCode(store.unwrap(lost, context), 'KEYS_UNWRAP');
    await trusting[Symbol.asyncDispose]();
  });

  it('refuses a signature that the public key does not verify', async () => {
    await store.create({ id: 'signer', purpose: 'sign', algorithm: 'P-384' });
    const message = utf8Encode('release 7');
    const other = await store.sign('signer', utf8Encode('release 8'));
    const Signature = Buffer.from(other).toString('base64');
    fake.faults.plan('Sign', { kind: 'alter', alter: (answer) => ({ ...answer, Signature }) }, 1);
    await expectCode(store.sign('signer', message), 'KEYS_CLOUD_INTEGRITY');
    await store.sign('signer', message);
  });

  it('tries again what was throttled, and says so when it stays', async () => {
    const patient = open(fake, { attempts: 3 });
    fake.faults.plan('Decrypt', error('ThrottlingException'), 2);
    expect(await patient.unwrap(wrapped, context)).toEqual(secret);
    expect(fake.operations.filter((name) => name === 'Decrypt')).toHaveLength(4);
    await patient[Symbol.asyncDispose]();
  });

  it('does not try again what was refused', async () => {
    const patient = open(fake, { attempts: 3 });
    const before = fake.operations.length;
    fake.faults.plan('Decrypt', error('AccessDeniedException'));
    await expectCode(patient.unwrap(wrapped, context), 'KEYS_CLOUD_DENIED');
    expect(fake.operations.slice(before).filter((name) => name === 'Decrypt')).toHaveLength(1);
    await patient[Symbol.asyncDispose]();
  });

  it('gives up in time', async () => {
    const hasty = open(fake, { timeout: 2500 });
    await hasty.list();
    fake.service.fail({ kind: 'slow', ms: 6000 }, { times: 1 });
    await expectCode(hasty.unwrap(wrapped, context), 'KEYS_CLOUD_TIMEOUT');
    await hasty[Symbol.asyncDispose]();
  });

  it('is ended by its signal and by closing', async () => {
    const abort = new AbortController();
    const guided = open(fake, { signal: abort.signal });
    await guided.list();
    fake.service.fail({ kind: 'slow', ms: 3000 }, { times: 1 });
    const waiting = guided.unwrap(wrapped, context);
    abort.abort();
    await expectCode(waiting, 'KEYS_CLOUD_ABORTED');
    await expectCode(guided.unwrap(wrapped, context), 'KEYS_CLOUD_ABORTED');
    fake.service.fail({ kind: 'slow', ms: 3000 }, { times: 1 });
    const closing = store.unwrap(wrapped, context);
    await store[Symbol.asyncDispose]();
    await expectCode(closing, 'KEYS_CLOUD_ABORTED');
    await guided[Symbol.asyncDispose]();
  });

  it.each([
    [{ kind: 'hang-up' }, 'KEYS_CLOUD_UNAVAILABLE'],
    [{ kind: 'truncated' }, 'KEYS_CLOUD_PROTOCOL'],
    [{ kind: 'instead', answer: { body: '<html>a portal</html>' } }, 'KEYS_CLOUD_PROTOCOL'],
    [{ kind: 'status', status: 502 }, 'KEYS_CLOUD_UNAVAILABLE'],
  ] as const)('says what is wrong with the connection: %j', async (failure, code) => {
    fake.service.fail(failure, { times: 1 });
    await expectCode(store.unwrap(wrapped, context), code);
  });

  it('cannot be reached', async () => {
    await fake[Symbol.asyncDispose]();
    await expectCode(store.unwrap(wrapped, context), 'KEYS_CLOUD_UNAVAILABLE');
  });

  it('refuses wrong credentials, and repeats none of them', async () => {
    const credentials = { ...fake.identity, secretAccessKey: 'not the right secret' };
    const stranger = open(fake, { credentials });
    await expectCode(stranger.list(), 'KEYS_CLOUD_CREDENTIALS', credentials.secretAccessKey);
    await stranger[Symbol.asyncDispose]();
  });

  it('sends neither the key nor the context to the service', () => {
    const sent = fake.service.requests.map(({ body }) => Buffer.from(body).toString()).join('\n');
    for (const hidden of [secret, context]) {
      expect(sent).not.toContain(Buffer.from(hidden).toString());
      expect(sent).not.toContain(Buffer.from(hidden).toString('base64').slice(0, 20));
    }
  });

  it('rotates to a new KMS key, keeps the older ones for what they wrapped, and retires them', async () => {
    expect(await store.rotate('kek')).toMatchObject({ version: 2, versions: [1, 2] });
    const second = await store.wrap('kek', secret, context);
    expect(second.keyVersion).toBe(2);
    expect(await store.unwrap(wrapped, context)).toEqual(secret);
    await expectCode(store.unwrap({ ...second, keyVersion: 1 }, context), 'KEYS_UNWRAP');
    await expectCode(store.retire('kek', 3), 'KEYS_VERSION_UNKNOWN');
    expect(await store.retire('kek', 2)).toMatchObject({ version: 2, versions: [2] });
    await expectCode(store.unwrap(wrapped, context), 'KEYS_CLOUD_PENDING_DELETION');
    expect(await store.unwrap(second, context)).toEqual(secret);
    expect(await store.rotate('kek')).toMatchObject({ version: 3, versions: [2, 3] });
  });

  it('does not rotate a signing key', async () => {
    await store.create({ id: 'signer', purpose: 'sign', algorithm: 'P-256' });
    await expectCode(store.rotate('signer'), 'KEYS_PURPOSE');
  });

  it('disables, enables, and destroys only what is disabled', async () => {
    expect((await store.disable('kek')).disabledAt).toBeDefined();
    await expectCode(store.unwrap(wrapped, context), 'KEYS_DISABLED');
    await expectCode(store.wrap('kek', secret, context), 'KEYS_DISABLED');
    expect((await store.enable('kek')).disabledAt).toBeUndefined();
    await expectCode(store.destroy('kek'), 'KEYS_NOT_DISABLED');
    await store.disable('kek');
    await store.destroy('kek');
    expect(await store.list()).toEqual([]);
    await expectCode(store.unwrap(wrapped, context), 'KEYS_CLOUD_PENDING_DELETION');
    await expectCode(store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' }), 'KEYS_ID_EXISTS');
  });

  it('cleans up when another process made the alias first', async () => {
    fake.faults.plan('CreateAlias', error('AlreadyExistsException'), 1);
    const spec = { id: 'late', purpose: 'wrap', algorithm: 'AES-256-GCM' } as const;
    await expectCode(store.create(spec), 'KEYS_ID_EXISTS');
    expect([...fake.keys.values()].at(-1)?.state).toBe('PendingDeletion');
  });

  it('reads all pages, keeps dots in ids, and leaves the aliases of others alone', async () => {
    fake.aliases.set('alias/aws/ebs', [...fake.keys.keys()][0] ?? '');
    for (const id of ['a.b', 'a-b', 'a_b', 'ab']) {
      await store.create({ id, purpose: 'wrap', algorithm: 'AES-256-GCM' });
    }
    expect((await store.list()).map(({ id }) => id)).toEqual(['a-b', 'a.b', 'a_b', 'ab', 'kek']);
    const other = open(fake, { prefix: 'other' });
    expect(await other.list()).toEqual([]);
    await other[Symbol.asyncDispose]();
  });

  it('refuses imported keys, and a version that was put in place of another kind', async () => {
    for (const key of fake.keys.values()) key.origin = 'EXTERNAL';
    await store.list();
    await expectCode(store.unwrap(wrapped, context), 'KEYS_CLOUD_USAGE');
    for (const key of fake.keys.values()) key.origin = 'AWS_KMS';
    await store.create({ id: 'signer', purpose: 'sign', algorithm: 'P-256' });
    fake.aliases.set('alias/fastness/kek/2', fake.aliases.get('alias/fastness/signer/1') ?? '');
    await store.list();
    await expectCode(store.wrap('kek', secret, context), 'KEYS_CLOUD_USAGE');
  });

  it('shows an alias that was moved to another key', async () => {
    await store.create({ id: 'other', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    fake.aliases.set('alias/fastness/kek/1', fake.aliases.get('alias/fastness/other/1') ?? '');
    await store.list();
    await expectCode(store.unwrap(wrapped, context), 'KEYS_UNWRAP');
  });

  it.each([[{ region: 'nowhere' }], [{ prefix: 'Up/../' }], [{ deletionDays: 3 }]])('refuses %j', (options) => {
    expect(() => open(fake, options)).toThrow(expect.objectContaining({ code: 'KEYS_URI' }));
  });

  describe('attested recipients', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
    const recipient = {
      privateKey,
      async attestationDocument() {
        const now = new Date();
        return forgeNitroDocument({ chain: await forgeNitroChain({ now }), timestamp: now, publicKey: spki });
      },
    };

    it.each(['der', 'ber'] as const)('unwraps to the attested key, message in %s', async (form) => {
      await start({ form });
      const enclave = open(fake, { recipient });
      expect(await enclave.unwrap(wrapped, context)).toEqual(secret);
      await enclave[Symbol.asyncDispose]();
    });

    it('is refused where the measurements do not fit', async () => {
      await start({ pcrs: { 0: 'ff'.repeat(48) } });
      const enclave = open(fake, { recipient });
      await expectCode(enclave.unwrap(wrapped, context), 'KEYS_CLOUD_ATTESTATION');
      await enclave[Symbol.asyncDispose]();
    });

    it('is refused with what is no document', async () => {
      const attestationDocument = () => Promise.resolve(Uint8Array.of(1, 2, 3));
      const enclave = open(fake, { recipient: { privateKey, attestationDocument } });
      await expectCode(enclave.unwrap(wrapped, context), 'KEYS_CLOUD_ATTESTATION');
      await enclave[Symbol.asyncDispose]();
    });

    it('takes no answer in the clear, and none for another key', async () => {
      const enclave = open(fake, { recipient });
      const inClear = (answer: Record<string, unknown>) => ({ ...answer, Plaintext: 'AAAA' });
      fake.faults.plan('Decrypt', { kind: 'alter', alter: inClear }, 1);
      await expectCode(enclave.unwrap(wrapped, context), 'KEYS_CLOUD_PROTOCOL');
      await enclave[Symbol.asyncDispose]();
      const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
      const other = open(fake, { recipient: { ...recipient, privateKey: stranger } });
      // Noise has valid padding once in some 256 times; then it is the wrapping inside that does not open.
      await expect(other.unwrap(wrapped, context)).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:CMS_OPEN|KEYS_UNWRAP)$/),
      });
      await other[Symbol.asyncDispose]();
    });
  });
});
