import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErrorCode } from '@fastness/codec/errors';
import { startFakeAzureKeyVault } from '@fastness/testkit/cloud';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EntraCredential, type EntraIdentity } from '../src/cloud/entra-credential.ts';
import { parseEntraIdentity } from '../src/cloud/entra-identity.ts';
import { openKeyStore } from '../src/index.ts';
import { expectCode } from './conformance.ts';

const audience = 'https://vault.azure.net';
const scope = `${audience}/.default`;
const authority = 'https://login.microsoftonline.com';
const tenant = '72f988bf-86f1-41af-91ab-2d7cd011db47';
const clientId = 'a1b2';
const secret = 'a secret that nobody should see';
const federated = 'eyJh.eyJi.c2ln';
const token = { token_type: 'Bearer', access_token: 'eyJ.the.token', expires_in: 3600 };

interface Asked {
  readonly url: string;
  readonly init: RequestInit;
}

let folder: string;
let asked: Asked[];
let answers: (() => Response | Promise<Response>)[];
let now: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-entra-'));
  asked = [];
  answers = [];
  now = 1_700_000_000_000;
  await writeFile(join(folder, 'token'), `${federated}\n`);
  await writeFile(join(folder, 'secret'), `${secret}\n`, { mode: 0o600 });
});
afterEach(() => rm(folder, { recursive: true }));

/** The network: each request takes the next answer, the last one for good. */
const fetch: typeof globalThis.fetch = async (input, init = {}) => {
  asked.push({ url: input instanceof Request ? input.url : String(input), init });
  const answer = answers.length > 1 ? answers.shift() : answers[0];
  return (answer ?? (() => Response.json(token)))();
};

const credentialOf = (identity: EntraIdentity): EntraCredential =>
  new EntraCredential({ identity, audience, authority, fetch, now: () => now });
const managed = (): EntraCredential => credentialOf({ kind: 'managed-identity' });
const formOf = ({ init }: Asked): Record<string, string> =>
  Object.fromEntries(init.body instanceof URLSearchParams ? init.body : []);

describe('tokens of Entra ID', () => {
  it('come from the metadata service of the machine', async () => {
    answers = [() => Response.json({ ...token, expires_in: '3600' })];
    const got = await credentialOf({ kind: 'managed-identity', clientId }).getToken([scope]);
    expect(got).toMatchObject({ token: 'eyJ.the.token', expiresOnTimestamp: now + 3_600_000 });
    const [{ url, init } = { url: '', init: {} }] = asked;
    expect(url).toBe(
      `http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${encodeURIComponent(audience)}&client_id=${clientId}`,
    );
    expect(init).toMatchObject({ headers: { metadata: 'true' }, redirect: 'error' });
  });

  it('are exchanged for a federated token, which is read anew each time', async () => {
    const credential = credentialOf({ kind: 'workload-identity', tenant, clientId, file: join(folder, 'token') });
    await credential.getToken(scope);
    now += 3_600_000;
    await writeFile(join(folder, 'token'), 'eyJh.eyJi.bmV3');
    await credential.getToken(scope);
    expect(asked.map(({ url }) => url)).toEqual(Array(2).fill(`${authority}/${tenant}/oauth2/v2.0/token`));
    expect(asked.map(formOf)).toEqual(
      [federated, 'eyJh.eyJi.bmV3'].map((assertion) => ({
        grant_type: 'client_credentials',
        client_id: clientId,
        scope,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      })),
    );
  });

  it('are given for a secret, which lies in a file that only this user reads', async () => {
    const file = join(folder, 'secret');
    await credentialOf({ kind: 'client-secret', tenant, clientId, file }).getToken(scope);
    expect(asked.map(formOf)).toMatchObject([{ client_id: clientId, client_secret: secret, scope }]);
    const open = credentialOf({ kind: 'client-secret', tenant, clientId, file: join(folder, 'open') });
    await writeFile(join(folder, 'open'), secret, { mode: 0o644 });
    await expectCode(open.getToken(scope), 'KEYS_PERMISSIONS');
    expect(asked).toHaveLength(1);
  });

  it('are asked for once, and kept until shortly before they end', async () => {
    const credential = managed();
    await Promise.all([credential.getToken(scope), credential.getToken(scope)]);
    now += 3_600_000 - 300_001;
    await credential.getToken(scope);
    expect(asked).toHaveLength(1);
    now += 1;
    await credential.getToken(scope);
    expect(asked).toHaveLength(2);
    await credential.getToken(scope, { claims: '{"access_token":{}}' });
    expect(asked).toHaveLength(3);
  });

  it('are used to their end when there is no new one, and no longer', async () => {
    const credential = managed();
    answers = [() => Response.json(token), () => new Response('', { status: 500 })];
    await credential.getToken(scope);
    now += 3_600_000 - 60_000;
    expect(await credential.getToken(scope)).toMatchObject({ token: 'eyJ.the.token' });
    await expectCode(credential.getToken(scope, { claims: '{}' }), 'KEYS_CLOUD_UNAVAILABLE');
    now += 60_000;
    await expectCode(credential.getToken(scope), 'KEYS_CLOUD_UNAVAILABLE');
  });

  it.each([
    ['another service', 'https://management.azure.com/.default'],
    ['a part of the cloud', 'https://azure.net/.default'],
    ['two at once', [scope, scope]],
  ])('are not asked for when they would be for %s', async (_, scopes) => {
    await expectCode(managed().getToken(scopes), 'KEYS_CLOUD_CHALLENGE');
    expect(asked).toEqual([]);
  });

  const text = (status: number, body: string) => () => new Response(body, { status });
  it.each<[string, () => Response | Promise<Response>, ErrorCode, RegExp]>([
    [
      'the secret is wrong',
      text(401, '{"error":"invalid_client","error_description":"AADSTS7000215 s3cr3t"}'),
      'KEYS_CLOUD_CREDENTIALS',
      /invalid_client, status 401/,
    ],
    [
      'the machine has no identity',
      text(400, '{"error":"invalid_request"}'),
      'KEYS_CLOUD_CREDENTIALS',
      /invalid_request/,
    ],
    ['it is asked too often', text(429, ''), 'KEYS_CLOUD_THROTTLED', /429/],
    ['the metadata service starts', text(404, ''), 'KEYS_CLOUD_UNAVAILABLE', /503/],
    ['it fails', text(503, '<html>'), 'KEYS_CLOUD_UNAVAILABLE', /503/],
    [
      'nobody is there',
      () =>
        Promise.reject(
          Object.assign(new TypeError('fetch failed'), {
            cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }),
          }),
        ),
      'KEYS_CLOUD_UNAVAILABLE',
      /ECONNREFUSED/,
    ],
    ['the answer is no JSON', text(200, '<html>s3cr3t'), 'KEYS_CLOUD_PROTOCOL', /No token/],
    [
      'the token is of another type',
      () => Response.json({ ...token, token_type: 'pop' }),
      'KEYS_CLOUD_PROTOCOL',
      /No token/,
    ],
    [
      'the token breaks a header',
      () => Response.json({ ...token, access_token: 'a\r\nx: y' }),
      'KEYS_CLOUD_PROTOCOL',
      /No token/,
    ],
    ['the token never ends', () => Response.json({ ...token, expires_in: 1e9 }), 'KEYS_CLOUD_PROTOCOL', /No token/],
    ['the answer is too long', text(200, ' '.repeat(200_000)), 'KEYS_CLOUD_PROTOCOL', /too long/],
  ])('are missing when %s', async (_, answer, code, message) => {
    answers = [answer];
    const error: unknown = await managed()
      .getToken(scope)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(JSON.stringify([error, String(error)])).not.toContain('s3cr3t');
  });

  it.each([
    ['absent', undefined, 'KEYS_FILE_NOT_FOUND'],
    ['no token', 'hello', 'KEYS_CLOUD_CREDENTIALS'],
    ['too long', `${'a'.repeat(70_000)}.b.c`, 'KEYS_CLOUD_CREDENTIALS'],
  ] as const)('are not asked for when the federated token is %s', async (_, content, code) => {
    const file = join(folder, 'other');
    if (content !== undefined) await writeFile(file, content);
    await expectCode(credentialOf({ kind: 'workload-identity', tenant, clientId, file }).getToken(scope), code);
    expect(asked).toEqual([]);
  });
});

describe('who a process is to Entra ID', () => {
  const identity = (query: string, environment: Record<string, string> = {}): EntraIdentity =>
    parseEntraIdentity(new Map(new URLSearchParams(query)), environment);
  const cluster = { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: clientId, AZURE_FEDERATED_TOKEN_FILE: '/run/token' };

  it('comes from the URI, or from what a cluster sets', () => {
    expect(identity('')).toEqual({ kind: 'managed-identity' });
    expect(identity('client-id=b')).toEqual({ kind: 'managed-identity', clientId: 'b' });
    expect(identity('', cluster)).toEqual({ kind: 'workload-identity', tenant, clientId, file: '/run/token' });
    expect(identity('credential=managed-identity', cluster)).toEqual({ kind: 'managed-identity' });
    expect(identity('token-file=/a&tenant=t&client-id=c', cluster)).toEqual({
      kind: 'workload-identity',
      tenant: 't',
      clientId: 'c',
      file: '/a',
    });
    expect(identity('credential=client-secret&tenant=t&client-id=c&secret-file=/s')).toEqual({
      kind: 'client-secret',
      tenant: 't',
      clientId: 'c',
      file: '/s',
    });
  });

  it.each([
    'credential=azure-cli',
    'credential=workload-identity',
    'credential=client-secret&tenant=t&client-id=c&secret-file=relative',
    'credential=client-secret&tenant=../x&client-id=c&secret-file=/s',
    'credential=client-secret&client-id=c&secret-file=/s',
    'credential=managed-identity&tenant=t',
    'credential=managed-identity&secret-file=/s',
    'client-id=',
  ])('is not %s', (query) => {
    expect(() => identity(query)).toThrow(expect.objectContaining({ code: 'KEYS_URI' }));
  });
});

describe('a vault by its URI alone', () => {
  it('is opened with the token of the machine', async () => {
    await using fake = await startFakeAzureKeyVault();
    answers = [() => Response.json({ ...token, access_token: fake.accessToken })];
    const azure = { fetch, attempts: 1, clientOptions: fake.clientOptions };
    await using store = await openKeyStore(`azure-key-vault:${fake.url}?credential=managed-identity`, { azure });
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    const context = new Uint8Array([1]);
    const wrapped = await store.wrap('kek', new Uint8Array(32).fill(7), context);
    expect(await store.unwrap(wrapped, context)).toEqual(new Uint8Array(32).fill(7));
    // One token serves every client that the store makes.
    expect(asked).toHaveLength(1);
  });
});
