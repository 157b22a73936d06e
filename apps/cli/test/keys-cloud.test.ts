import { mkdtemp, readFile, rm } from 'node:fs/promises';
import dns from 'node:dns';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { startFakeAwsKms, startFakeAzureKeyVault } from '@fastness/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CliResult } from '../../../attacks/support/cli.ts';
import { initCommand } from '../src/commands/init.ts';
import { keysCommand } from '../src/commands/keys.ts';
import { runInProcess } from './support/in-process.ts';

vi.setConfig({ testTimeout: 120_000 });

let folder: string;
let home: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-cli-cloud-'));
  home = join(folder, 'home');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const keys = (...args: string[]): Promise<CliResult> => runInProcess(keysCommand, home, ['keys', ...args]);
const listed = ({ events }: CliResult): unknown => events.find(({ event }) => event === 'result')?.['keys'];

async function done(result: Promise<CliResult>): Promise<CliResult> {
  const settled = await result;
  expect(settled).toMatchObject({ exitCode: 0, code: undefined });
  return settled;
}

/** A home with these keys in `uri`, and a spare key led through its life there. */
async function live(uri: string, ids: readonly string[]): Promise<void> {
  const options = ['--tee', 'auto', '--approvers', 'alice', '--threshold', '1', '--store', uri];
  await done(runInProcess(initCommand, home, ['init', ...options, '--require-hardware', 'wrapping']));
  expect(listed(await done(keys('list')))).toMatchObject(ids.map((id) => ({ id })));
  await done(keys('create', 'spare', '--purpose', 'wrap'));
  expect((await done(keys('rotate', 'spare'))).events).toMatchObject([{ event: 'key-rotated', version: 2 }]);
  await done(keys('disable', 'spare', '--store', uri));
  await done(keys('destroy', 'spare', '--confirm', 'spare', '--now'));
  expect(listed(await done(keys('list')))).toMatchObject(ids.map((id) => ({ id })));
  const [doctor] = (await done(keys('doctor'))).events;
  expect(doctor).toMatchObject({ kind: uri.slice(0, uri.indexOf(':')), hardware: true, unwrapKey: 'model-kek' });
  expect(doctor?.['unwrapsPerSecond']).toBeGreaterThan(0);
  expect(doctor?.['signing']).toEqual(uri.startsWith('azure') ? ['P-256', 'P-384'] : ['P-256', 'P-384', 'Ed25519']);
}

describe('a home with its keys in a key service', () => {
  it('is made in AWS KMS and lives there', async () => {
    await using fake = await startFakeAwsKms();
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', fake.url);
    vi.stubEnv('AWS_ACCESS_KEY_ID', fake.identity.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', fake.identity.secretAccessKey);
    await live(`aws-kms:${fake.region}`, ['broker', 'model-kek', 'owner']);
  });

  it('is made in an Azure vault, as the managed identity of the machine', async () => {
    await using fake = await startFakeAzureKeyVault();
    // What the machine's own name service, authorities and metadata service are in Azure.
    const trusted = getCACertificates('default');
    setDefaultCACertificates([...trusted, String(fake.agent.options.ca)]);
    const lookup = dns.lookup;
    vi.spyOn(dns, 'lookup').mockImplementation(((name: string, ...rest: unknown[]) =>
      Reflect.apply(lookup, dns, [name === new URL(fake.url).hostname ? '127.0.0.1' : name, ...rest])) as never);
    vi.spyOn(globalThis, 'fetch').mockImplementation((url) => {
      expect(url).toMatch(/^http:\/\/169\.254\.169\.254\/metadata\/identity\/oauth2\/token\?/);
      const token = { token_type: 'Bearer', access_token: fake.accessToken, expires_in: '3600' };
      return Promise.resolve(Response.json(token));
    });
    try {
      await live(`azure-key-vault:${fake.url}?credential=managed-identity`, ['model-kek', 'owner']);
      // Vaults have no Ed25519, which leases are signed with.
      expect(listed(await done(keys('list', '--store', 'broker')))).toMatchObject([{ algorithm: 'Ed25519' }]);
      expect(await readFile(join(home, 'config.json'), 'utf8')).not.toContain(fake.accessToken);
    } finally {
      setDefaultCACertificates(trusted);
    }
  });

  it('is not made where the address is wrong', async () => {
    expect(await runInProcess(initCommand, home, ['init', '--store', 'google-kms:nowhere'])).toMatchObject({
      code: 'KEYS_URI',
    });
    expect(await keys('list')).toMatchObject({ code: 'CLI_HOME_MISSING' });
  });
});
