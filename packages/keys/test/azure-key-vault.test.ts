import { utf8Encode } from '@fastness/codec/bytes';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  startFakeAzureKeyVault,
  type CloudFault,
  type FakeAzureKeyVault,
  type FakeAzureOptions,
} from '@fastness/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openAzureKeyVaultKeyStore, type AzureKeyVaultOptions } from '../src/cloud/azure-key-vault.ts';
import { keyName, parseKeyName, parseVaultUrl } from '../src/cloud/azure-names.ts';
import type { ManagedKeyStore, WrappedKey } from '../src/index.ts';
import { describeKeyStore, expectCode } from './conformance.ts';

const context = utf8Encode('a context nobody should read');
const secret = utf8Encode('0123456789abcdef0123456789abcdef');

function open(fake: FakeAzureKeyVault, options: Partial<AzureKeyVaultOptions> = {}): ManagedKeyStore {
  return openAzureKeyVaultKeyStore({
    vaultUrl: fake.url,
    credential: fake.credential,
    attempts: 1,
    clientOptions: fake.clientOptions,
    ...options,
  });
}

describe.each([
  ['Azure Key Vault', false],
  ['Azure Managed HSM', true],
])('%s', (name, managed) => {
  describeKeyStore(name, () => {
    let fake: FakeAzureKeyVault;
    return {
      async create() {
        fake = await startFakeAzureKeyVault({ managed });
        return open(fake);
      },
      reopen: () => Promise.resolve(open(fake)),
      signing: ['P-256', 'P-384'],
    };
  });
});

describe('Azure Key Vault', () => {
  let fake: FakeAzureKeyVault;
  let store: ManagedKeyStore;
  let wrapped: WrappedKey;

  const start = async (options: FakeAzureOptions = {}) => {
    fake = await startFakeAzureKeyVault(options);
    store = open(fake);
  };
  beforeEach(async () => {
    await start();
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

  describe.each<[string, CloudFault, ErrorCode]>([
    ['throttled', error('Throttled', 429), 'KEYS_CLOUD_THROTTLED'],
    ['denied', error('Forbidden', 403), 'KEYS_CLOUD_DENIED'],
    ['disabled', error('Forbidden', 403, 'Operation unwrapKey is not allowed on a disabled key.'), 'KEYS_DISABLED'],
    ['gone', error('KeyNotFound', 404), 'KEYS_CLOUD_NOT_FOUND'],
    ['deleted', error('Conflict', 409, 'The key is being deleted.'), 'KEYS_CLOUD_PENDING_DELETION'],
    ['in conflict', error('Conflict', 409), 'KEYS_CLOUD_CONFLICT'],
    ['an invalid ciphertext', error('BadParameter', 400), 'KEYS_UNWRAP'],
    ['an internal failure', error('InternalServerError', 500), 'KEYS_CLOUD_UNAVAILABLE'],
    ['unavailable', error('ServiceUnavailable', 503), 'KEYS_CLOUD_UNAVAILABLE'],
    ['an error nobody knows', error('Teapot', 418), 'KEYS_CLOUD_FAILED'],
    ['another key', alter({ kid: 'https://forged.vault.azure.net/keys/x/y' }), 'KEYS_CLOUD_WRONG_KEY'],
    ['an altered secret', alter({ value: Buffer.alloc(32, 7).toString('base64url') }), 'KEYS_UNWRAP'],
    ['a short secret', alter({ value: 'AAAA' }), 'KEYS_UNWRAP'],
    ['nothing', alter({ value: '' }), 'KEYS_CLOUD_PROTOCOL'],
  ])('unwrapkey answers: %s', (_, fault, code) => {
    it(`is ${code}, and the next answer is taken again`, async () => {
      fake.faults.plan('unwrapkey', fault, 1);
      await expectCode(store.unwrap(wrapped, context), code, fake.accessToken);
      expect(await store.unwrap(wrapped, context)).toEqual(secret);
    });
  });

  it('refuses an altered answer of wrapkey before anybody relies on it', async () => {
    fake.faults.plan('wrapkey', alter({ value: Buffer.alloc(256, 7).toString('base64url') }), 1);
    await expectCode(store.wrap('kek', secret, context), 'KEYS_CLOUD_INTEGRITY');
    fake.faults.plan('wrapkey', alter({ kid: 'https://forged.vault.azure.net/keys/x/y' }), 1);
    await expectCode(store.wrap('kek', secret, context), 'KEYS_CLOUD_WRONG_KEY');
    await store.wrap('kek', secret, context);
  });

  it('refuses a signature that the public key does not verify', async () => {
    await store.create({ id: 'signer', purpose: 'sign', algorithm: 'P-256' });
    fake.faults.plan('sign', alter({ value: Buffer.alloc(64, 7).toString('base64url') }), 1);
    await expectCode(store.sign('signer', utf8Encode('release 7')), 'KEYS_CLOUD_INTEGRITY');
    fake.faults.plan('sign', alter({ value: 'AAAA' }), 1);
    await expectCode(store.sign('signer', utf8Encode('release 7')), 'KEYS_CLOUD_INTEGRITY');
    await store.sign('signer', utf8Encode('release 7'));
  });

  it('does not sign with Ed25519', async () => {
    const spec = { id: 'signer', purpose: 'sign', algorithm: 'Ed25519' } as const;
    await expectCode(store.create(spec), 'KEYS_CLOUD_UNSUPPORTED');
  });

  it('asks for a token only after the challenge, for the vault alone, and sends no content before', () => {
    expect(new Set(fake.scopes)).toEqual(new Set(['https://vault.azure.net/.default']));
    const [first] = fake.service.requests;
    expect(first?.headers.authorization).toBeUndefined();
    for (const { headers, body } of fake.service.requests) {
      if (headers.authorization === undefined) expect(body).toHaveLength(0);
    }
  });

  it.each(['https://attacker.example', 'https://graph.microsoft.com', 'https://azure.net.evil.example', 'nothing'])(
    'gives no token to a challenge for %s',
    async (resource) => {
      await start({ resource });
      await expectCode(store.list(), 'KEYS_CLOUD_CHALLENGE', fake.accessToken);
      expect(fake.scopes).toEqual([]);
    },
  );

  it('says that there are no credentials', async () => {
    const getToken = () => {
      const failure = new Error('a message with a secret of the credential');
      failure.name = 'CredentialUnavailableError';
      return Promise.reject(failure);
    };
    const stranger = open(fake, { credential: { getToken } });
    await expectCode(stranger.list(), 'KEYS_CLOUD_CREDENTIALS', 'secret of the credential');
    const expired = open(fake, {
      credential: {
        getToken: () => Promise.resolve({ token: 'old-token', expiresOnTimestamp: Date.now() + 3_600_000 }),
      },
    });
    await expectCode(expired.list(), 'KEYS_CLOUD_CREDENTIALS', 'old-token');
  });

  it('tries again what was throttled', async () => {
    const patient = open(fake, { attempts: 3 });
    fake.faults.plan('unwrapkey', error('Throttled', 429), 2);
    expect(await patient.unwrap(wrapped, context)).toEqual(secret);
  });

  it('gives up in time, and is ended by its signal', async () => {
    const abort = new AbortController();
    const hasty = open(fake, { timeout: 2500, signal: abort.signal });
    await hasty.unwrap(wrapped, context);
    fake.service.fail({ kind: 'slow', ms: 6000 }, { times: 2 });
    await expectCode(hasty.unwrap(wrapped, context), 'KEYS_CLOUD_TIMEOUT');
    const waiting = hasty.unwrap(wrapped, context);
    abort.abort();
    await expectCode(waiting, 'KEYS_CLOUD_ABORTED');
  });

  it.each([
    [{ kind: 'hang-up' }, 'KEYS_CLOUD_UNAVAILABLE'],
    [
      { kind: 'instead', answer: { body: '<html>a portal</html>', contentType: 'application/json' } },
      'KEYS_CLOUD_PROTOCOL',
    ],
    [{ kind: 'status', status: 502 }, 'KEYS_CLOUD_UNAVAILABLE'],
  ] as const)('says what is wrong with the connection: %j', async (failure, code) => {
    await store.unwrap(wrapped, context);
    fake.service.fail(failure, { times: 1 });
    await expectCode(store.unwrap(wrapped, context), code);
  });

  it('cannot be reached', async () => {
    await fake[Symbol.asyncDispose]();
    await expectCode(store.unwrap(wrapped, context), 'KEYS_CLOUD_UNAVAILABLE');
  });

  it('sends neither the key nor the context to the service', () => {
    const sent = fake.service.requests.map(({ body }) => Buffer.from(body).toString()).join('\n');
    for (const hidden of [secret, context]) {
      expect(sent).not.toContain(Buffer.from(hidden).toString('base64url').slice(0, 20));
    }
  });

  it('makes keys in HSMs for one job, and refuses others', async () => {
    const [made] = fake.keys.get('fastness-kek-v1') ?? [];
    expect(made).toMatchObject({ kty: 'RSA-HSM', keyOps: ['wrapKey', 'unwrapKey'], exportable: false });
    const soft = open(fake, { requireHardware: false });
    expect(soft.description).toMatch(/no hardware/);
    await soft.create({ id: 'soft', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    await soft.wrap('soft', secret, context);
    await store.list();
    await expectCode(store.wrap('soft', secret, context), 'KEYS_HARDWARE_REQUIRED');
    if (made !== undefined) made.keyOps = ['wrapKey', 'unwrapKey', 'decrypt'];
    await store.list();
    await expectCode(store.unwrap(wrapped, context), 'KEYS_CLOUD_USAGE');
    if (made !== undefined) made.keyOps = ['wrapKey', 'unwrapKey'];
    if (made !== undefined) made.exportable = true;
    await store.list();
    await expectCode(store.unwrap(wrapped, context), 'KEYS_CLOUD_USAGE');
  });

  it("opens what it wrapped although the vault's own rotation put a new version in front", async () => {
    const versions = fake.keys.get('fastness-kek-v1');
    const other = open(fake, { prefix: 'other' });
    await other.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    const [donor] = fake.keys.get('other-kek-v1') ?? [];
    if (donor !== undefined) versions?.push({ ...donor, name: 'fastness-kek-v1' });
    await store.list();
    expect(await store.unwrap(wrapped, context)).toEqual(secret);
    expect(await store.unwrap(await store.wrap('kek', secret, context), context)).toEqual(secret);
  });

  it('rotates to a new key, and retires the older', async () => {
    expect(await store.rotate('kek')).toMatchObject({ version: 2, versions: [1, 2] });
    const second = await store.wrap('kek', secret, context);
    expect(await store.unwrap(wrapped, context)).toEqual(secret);
    await expectCode(store.unwrap({ ...second, keyVersion: 1 }, context), 'KEYS_UNWRAP');
    expect(await store.retire('kek', 2)).toMatchObject({ version: 2, versions: [2] });
    await expectCode(store.unwrap(wrapped, context), 'KEYS_VERSION_UNKNOWN');
    expect(await store.unwrap(second, context)).toEqual(secret);
  });

  it('disables, enables, and destroys only what is disabled', async () => {
    await store.disable('kek');
    await expectCode(store.unwrap(wrapped, context), 'KEYS_DISABLED');
    await store.enable('kek');
    await expectCode(store.destroy('kek'), 'KEYS_NOT_DISABLED');
    await store.disable('kek');
    await store.destroy('kek');
    expect(await store.list()).toEqual([]);
    const again = { id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' } as const;
    await expectCode(store.create(again), 'KEYS_ID_EXISTS');
  });

  it('reads all pages, and keeps ids apart that vaults would not', async () => {
    for (const id of ['a.b', 'a-b', 'a_b', 'a-v1'])
      await store.create({ id, purpose: 'wrap', algorithm: 'AES-256-GCM' });
    expect((await store.list()).map(({ id }) => id)).toEqual(['a-b', 'a-v1', 'a.b', 'a_b', 'kek']);
  });

  it('has names that lead back to their ids, and leaves other names alone', () => {
    for (const id of ['a', 'a-', 'a.-_', 'a-v1', '0-d', 'a--u', 'k.'.repeat(20)]) {
      expect(parseKeyName('fastness', keyName('fastness', id, 7))).toEqual({ id, version: 7 });
    }
    for (const name of [
      'kek',
      'fastness-kek',
      'fastness-a-b-v1',
      'fastness-a--v1',
      'fastness-A-v1',
      'other-a-v1',
      'fastness-a-v0',
      'fastness---v1',
    ]) {
      expect(parseKeyName('fastness', name)).toBeUndefined();
    }
    expect(() => keyName('fastness', '-'.repeat(64), 1)).toThrow(expect.objectContaining({ code: 'KEYS_ID_INVALID' }));
  });

  it.each([
    'http://forged.vault.azure.net',
    'https://vault.azure.net',
    'https://forged.vault.azure.net.evil.example',
    'https://evil.example/forged.vault.azure.net',
    'https://forged.vault.azure.net/keys',
    'https://user:word@forged.vault.azure.net',
    'https://forged.vault.azure.net?x',
    'https://a.b.vault.azure.net',
    'nothing',
  ])('refuses the address %s', (vaultUrl) => {
    expect(() => parseVaultUrl(vaultUrl)).toThrow(expect.objectContaining({ code: 'KEYS_URI' }));
  });
});
