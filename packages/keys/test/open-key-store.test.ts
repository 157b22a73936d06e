import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startFakeAwsKms } from '@fastness/testkit/cloud';
import { describe, expect, it } from 'vitest';
import { openKeyStore, type KeyStore } from '../src/index.ts';
import { expectCode } from './conformance.ts';

const credential = { getToken: () => Promise.resolve(null) };
const ring = 'projects/p/locations/l/keyRings/r';

describe('key stores by URI', () => {
  it.each<[string, KeyStore['kind'], boolean]>([
    ['aws-kms:eu-central-1', 'aws-kms', true],
    ['aws-kms:us-gov-west-1?prefix=models', 'aws-kms', true],
    ['azure-key-vault:https://models.vault.azure.net', 'azure-key-vault', true],
    ['azure-key-vault:https://models.vault.azure.net?hardware=optional&prefix=a', 'azure-key-vault', false],
    ['azure-key-vault:https://models.managedhsm.azure.net?hardware=optional', 'azure-key-vault', true],
    [`google-kms:${ring}`, 'google-kms', true],
    [`google-kms:${ring}?hardware=optional`, 'google-kms', false],
  ])('opens %s without asking anybody', async (uri, kind, hardware) => {
    const store = await openKeyStore(uri, { azure: { credential } });
    expect(store).toMatchObject({ kind, hardware });
    expect(store.description).toMatch(hardware ? /: hardware/ : /no hardware/);
    await store[Symbol.asyncDispose]();
  });

  it.each([
    '',
    'nothing',
    'software:/path',
    'vault:https://a',
    'AWS-KMS:eu-central-1',
    'aws-kms:',
    'aws-kms:eu-central-1?region=x',
    'aws-kms:eu-central-1?prefix=a&prefix=b',
    'aws-kms:eu-central-1?prefix',
    'aws-kms:eu-central-1?prefix=Ü',
    'aws-kms:eu-central-1?prefix=a?prefix=b',
    'aws-kms:eu-central-1?secretAccessKey=x',
    'azure-key-vault:models.vault.azure.net',
    'azure-key-vault:https://evil.example',
    'azure-key-vault:https://models.vault.azure.net?hardware=no',
    'google-kms:projects/p',
    `google-kms:${ring}/cryptoKeys/k`,
    `google-kms:${ring}?prefix=a`,
    `aws-kms:${'a'.repeat(5000)}`,
  ])('refuses %j', async (uri) => {
    await expectCode(openKeyStore(uri, { azure: { credential } }), 'KEYS_URI');
  });

  it('takes one credential for Azure, given or named', async () => {
    const uri = 'azure-key-vault:https://models.vault.azure.net?credential=managed-identity';
    await using store = await openKeyStore(uri);
    expect(store).toMatchObject({ kind: 'azure-key-vault', hardware: true });
    await expectCode(openKeyStore(uri, { azure: { credential } }), 'KEYS_URI');
  });

  it('gives stores that work', async () => {
    await using fake = await startFakeAwsKms();
    const { identity: credentials, url: endpoint } = fake;
    await using store = await openKeyStore(`aws-kms:${fake.region}`, { aws: { credentials, endpoint } });
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    expect([...fake.aliases.keys()]).toEqual(['alias/fastness/kek/1']);
  });

  it('loads the SDK of no cloud before it is needed', async () => {
    const script = `
      import { registerHooks } from 'node:module';
      const seen = [];
      registerHooks({ resolve(name, context, next) { seen.push(name); return next(name, context); } });
      const sdks = () => seen.filter((name) => /^@(?:aws-sdk|azure|google-cloud)\\//.test(name)).length > 0;
      const { openKeyStore } = await import('@fastness/keys');
      const before = sdks();
      await openKeyStore('aws-kms:eu-central-1');
      console.log(before, sdks());`;
    const run = promisify(execFile);
    const { stdout } = await run(
      process.execPath,
      ['--conditions=source', '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script],
      { cwd: import.meta.dirname },
    );
    expect(stdout.trim()).toBe('false true');
  });
});
