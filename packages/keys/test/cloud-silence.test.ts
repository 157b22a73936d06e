import { inspect } from 'node:util';
import { utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { startFakeAwsKms, startFakeAzureKeyVault, type CloudFault, type FaultPlan } from '@fastness/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openAwsKmsKeyStore } from '../src/cloud/aws-kms.ts';
import { openAzureKeyVaultKeyStore } from '../src/cloud/azure-key-vault.ts';
import type { KeyStore } from '../src/index.ts';

const context = utf8Encode('a context nobody should read');
const secret = utf8Encode('0123456789abcdef0123456789abcdef');

/** Services repeat what they were sent; none of that may go on. */
const talkative: CloudFault = { kind: 'error', name: 'Odd', status: 400, message: 'you sent SECRET-IN-AN-ANSWER' };
const failures: readonly CloudFault[] = [
  talkative,
  { ...talkative, status: 500 },
  { ...talkative, status: 403 },
  { kind: 'alter', alter: () => ({ note: 'SECRET-IN-AN-ANSWER' }) },
];

describe('cloud stores keep silent', () => {
  let written: string;
  beforeEach(() => {
    written = '';
    for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
      vi.spyOn(console, method).mockImplementation((...values: unknown[]) => {
        written += inspect(values, { depth: 10 });
      });
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  async function provoke(store: KeyStore, faults: FaultPlan, operation: string, hidden: readonly string[]) {
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    const wrapped = await store.wrap('kek', secret, context);
    let told = '';
    for (const fault of failures) {
      faults.plan(operation, fault, 1);
      const error: unknown = await store.unwrap(wrapped, context).catch((reason: unknown) => reason);
      if (!(error instanceof FastnessError)) throw new Error('not refused');
      expect(error.cause).toBeUndefined();
      told += inspect(error, { depth: 10 }) + JSON.stringify(error.toProblem());
    }
    const plain = Buffer.from(secret);
    const texts = ['SECRET-IN-AN-ANSWER', plain.toString(), plain.toString('base64url').slice(0, 24), ...hidden];
    for (const text of texts) {
      expect(told).not.toContain(text);
      expect(written).not.toContain(text);
    }
    expect(inspect(store, { depth: 10 })).not.toContain(hidden[0]);
  }

  it('AWS KMS', async () => {
    await using fake = await startFakeAwsKms();
    const { region, url: endpoint, identity: credentials } = fake;
    await using store = openAwsKmsKeyStore({ region, endpoint, credentials, attempts: 1 });
    await provoke(store, fake.faults, 'Decrypt', [credentials.secretAccessKey]);
    expect(written).toBe('');
  });

  it('Azure Key Vault', async () => {
    await using fake = await startFakeAzureKeyVault();
    await using store = openAzureKeyVaultKeyStore({
      vaultUrl: fake.url,
      credential: fake.credential,
      attempts: 1,
      clientOptions: fake.clientOptions,
    });
    await provoke(store, fake.faults, 'unwrapkey', [fake.accessToken]);
    expect(written).toBe('');
  });
});
