import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { generateKeyPair, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { openOidcCheck } from '../src/admin/oidc.ts';
import { oidcOptionsSchema } from '../src/admin/options.ts';
import { auditPageSchema, type Broker } from '../src/index.ts';
import { admin, call, refusalOf, type Answer } from './actors.ts';
import { agentOf, ask, createAuthority, serverTls, write } from './admin-authority.ts';
import { brokerAudience, listening, startIssuer, type Issuer } from './oidc-issuer.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, type World } from './world.ts';

const directory = temporaryDirectory();
const rate = { perSecond: 1000, burst: 1000 };
const wide = { perAddress: rate, global: rate };

let world: World;
let issuer: Issuer;
let broker: Broker;

beforeAll(async () => {
  world = await createWorld(directory);
  // The issuer's clock is this machine's.
  world.clock.now = new Date();
  issuer = await startIssuer({ pipeline: ['release'], watcher: ['readers', 'others'], nobody: [] });
  broker = await world.start({
    administrators: { oidc: options() },
    limits: { rates: { admin: wide, adminFailure: wide } },
  });
});
afterAll(async () => {
  await broker.close();
  await issuer[Symbol.asyncDispose]();
});
afterEach(() => {
  vi.useRealTimers();
});

const options = (): z.input<typeof oidcOptionsSchema> => ({
  issuer: issuer.url,
  audience: brokerAudience,
  jwksUri: issuer.jwksUri,
  algorithms: ['ES256'],
  identities: [
    { name: 'release-pipeline', roles: ['operator'], value: 'pipeline' },
    { name: 'readers', roles: ['auditor'], claim: 'groups', value: 'readers' },
  ],
});
/** A token of now: however long that took, it is not from the broker's future. */
const fresh = async (clientId: string): Promise<string> => {
  const token = await issuer.token(clientId);
  world.clock.now = new Date();
  return token;
};
const whoami = async (token: string): Promise<Answer> => await call(`${broker.url}/v1/admin/identity`, { token });
const outcome = ({ status, body }: Answer): unknown[] => {
  const { code, detail, name } = z
    .looseObject({ code: z.string(), detail: z.string(), name: z.string() })
    .partial()
    .parse(body);
  return [status, code ?? name, ...(detail === undefined ? [] : [detail])];
};
const seconds = (offset = 0): number => Math.floor(world.clock.now.getTime() / 1000) + offset;
const payload = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: issuer.url,
  aud: brokerAudience,
  sub: 'pipeline',
  iat: seconds(-10),
  exp: seconds(300),
  ...changes,
});

describe('access tokens of an OpenID provider', () => {
  it('say who one is and what one may, by subject or by another claim', async () => {
    const pipeline = await fresh('pipeline');
    expect((await whoami(pipeline)).body).toEqual({ name: 'release-pipeline', via: 'oidc', roles: ['operator'] });
    const watcher = await fresh('watcher');
    expect((await whoami(watcher)).body).toEqual({ name: 'readers', via: 'oidc', roles: ['auditor'] });
    expect(outcome(await whoami(await fresh('nobody')))).toEqual([
      403,
      'BROKER_ADMIN_IDENTITY_UNKNOWN',
      `Issuer ${issuer.url}.`,
    ]);

    const revocation = { kind: 'measurement', value: 'ee'.repeat(48), reason: 'test' };
    const url = `${broker.url}/v1/admin/revocations`;
    expect((await call(url, { method: 'POST', token: pipeline, json: revocation })).status).toBe(200);
    const forbidden = await call(url, { method: 'POST', token: watcher, json: revocation });
    expect([forbidden.status, refusalOf(forbidden)]).toEqual([403, 'BROKER_ADMIN_FORBIDDEN']);
    const subject = createHash('sha256')
      .update(JSON.stringify([issuer.url, 'watcher']))
      .digest('hex');
    const entries = (await admin.audit(broker.url)).map(({ kind, facts }) => [kind, facts['by']]);
    expect(entries).toContainEqual(['revocation', { name: 'release-pipeline', via: 'oidc' }]);
    expect(entries).toContainEqual(['refused', { name: 'readers', via: 'oidc', subject }]);
    // A reader, who by the way sees no token in the log.
    const log = await call(`${broker.url}/v1/admin/audit?limit=1000`, { token: watcher });
    expect(auditPageSchema.parse(log.body).entries.length).toBeGreaterThan(3);
    for (const token of [pipeline, watcher, adminToken]) {
      for (const part of token.split('.')) expect(JSON.stringify(log.body)).not.toContain(part);
    }
  });

  it('do not count unless everything about them holds', async () => {
    expect(outcome(await whoami(await issuer.forge(payload())))).toEqual([200, 'release-pipeline']);
    const other = await generateKeyPair('ES256');
    const rsa = await generateKeyPair('RS256');
    const symmetric = async (alg: string): Promise<string> =>
      await new SignJWT(payload()).setProtectedHeader({ alg, typ: 'at+jwt' }).sign(new Uint8Array(64).fill(7));
    const unsigned = [{ alg: 'none', typ: 'at+jwt' }, payload()]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const { sub: _sub, ...anonymous } = payload();
    const { exp: _exp, ...eternal } = payload();
    const cases: [string, string][] = [
      ['At iss.', await issuer.forge(payload({ iss: `${issuer.url}/` }))],
      ['At aud.', await issuer.forge(payload({ aud: 'https://elsewhere.example.com' }))],
      ['At exp.', await issuer.forge(payload({ exp: seconds(-31) }))],
      ['At nbf.', await issuer.forge(payload({ nbf: seconds(31) }))],
      ['At iat.', await issuer.forge(payload({ iat: seconds(31) }))],
      ['At iat.', await issuer.forge(payload({ iat: seconds(-3631) }))],
      ['At sub.', await issuer.forge(anonymous)],
      ['At exp.', await issuer.forge(eternal)],
      ['At typ.', await issuer.forge(payload(), { typ: 'JWT' })],
      ['At cnf.', await issuer.forge(payload({ cnf: { jkt: 'x' } }))],
      ['At cnf.', await issuer.forge(payload({ cnf: { 'x5t#S256': 'x' } }))],
      ['ERR_JWS_SIGNATURE_VERIFICATION_FAILED.', await issuer.forge(payload(), {}, other.privateKey)],
      ['ERR_JWKS_NO_MATCHING_KEY.', await issuer.forge(payload(), { kid: 'issuer-2' }, other.privateKey)],
      ['ERR_JOSE_ALG_NOT_ALLOWED.', await issuer.forge(payload(), { alg: 'RS256' }, rsa.privateKey)],
      ['ERR_JOSE_ALG_NOT_ALLOWED.', await symmetric('HS256')],
      ['ERR_JOSE_ALG_NOT_ALLOWED.', `${unsigned}.`],
      ['ERR_JWS_INVALID.', 'a.b.c'],
    ];
    for (const [detail, token] of cases)
      expect(outcome(await whoami(token)), detail).toEqual([401, 'BROKER_ADMIN_ACCESS_TOKEN', detail]);
    // Within the skew of the clocks.
    expect((await whoami(await issuer.forge(payload({ exp: seconds(-29), nbf: seconds(29) })))).status).toBe(200);
    expect(outcome(await whoami('no-jwt'))).toEqual([401, 'BROKER_ADMIN_UNAUTHORIZED']);
    const failures = (await admin.audit(broker.url)).filter(({ kind }) => kind === 'admin-auth-failure');
    expect(failures.map(({ facts }) => facts)).toContainEqual({
      route: 'identity',
      presented: 'access-token',
      code: 'BROKER_ADMIN_ACCESS_TOKEN',
    });
  });

  it('bound to a certificate count with it only', async () => {
    const authority = await createAuthority();
    const own = await authority.issue();
    const other = await authority.issue();
    const authorityPath = write(freshPath(directory, 'authority'), authority.pem);
    const tlsBroker = await world.start({
      listen: { host: '127.0.0.1', port: 0, tls: await serverTls() },
      administrators: {
        oidc: options(),
        certificates: {
          authorityPath,
          identities: [{ name: 'another', roles: ['auditor'], spkiSha256: own.spkiSha256 }],
        },
      },
    });
    const der = Buffer.from(own.certificate.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
    const thumbprint = createHash('sha256').update(der).digest('base64url');
    const token = await issuer.forge(payload({ cnf: { 'x5t#S256': thumbprint } }));
    const url = `${tlsBroker.url}/v1/admin/identity`;
    expect(outcome(await ask(agentOf(own), url, { token }))).toEqual([200, 'release-pipeline']);
    for (const agent of [agentOf(), agentOf(other)])
      expect(outcome(await ask(agent, url, { token }))).toEqual([401, 'BROKER_ADMIN_ACCESS_TOKEN', 'At cnf.']);
    await tlsBroker.close();
  });

  it('of strangers do not make the broker ask the issuer again and again', async () => {
    // Whatever this machine is doing: the pause between two requests is half a minute of this clock.
    vi.useFakeTimers({ toFake: ['Date'], now: world.clock.now });
    const check = await openOidcCheck(oidcOptionsSchema.parse(options()), () => 0);
    const before = issuer.keyRequests();
    const good = await issuer.forge(payload());
    await check.identify(good, world.clock.now, undefined);
    const strange = await issuer.forge(payload(), { kid: 'unknown' });
    for (let count = 0; count < 5; count += 1) {
      await expect(check.identify(strange, world.clock.now, undefined)).rejects.toMatchObject({
        code: 'BROKER_ADMIN_ACCESS_TOKEN',
      });
    }
    expect(issuer.keyRequests() - before).toBe(1);
    vi.setSystemTime(world.clock.now.getTime() + 31_000);
    await expect(check.identify(strange, world.clock.now, undefined)).rejects.toThrow();
    expect(issuer.keyRequests() - before).toBe(2);
  });

  it('are unavailable while the keys of the issuer are, and the issuer is left alone for a while', async () => {
    const answers: ((url: string) => { status: number; headers?: Record<string, string>; body: string })[] = [
      () => ({ status: 500, body: '{}' }),
      (url) => ({ status: 302, headers: { location: `${url}/other` }, body: '' }),
      () => ({ status: 200, body: 'no JSON' }),
      () => ({ status: 200, body: JSON.stringify({ keys: [], padding: 'x'.repeat(130 * 1024) }) }),
    ];
    const token = await issuer.forge(payload());
    for (const answer of answers) {
      let requests = 0;
      const server = createServer((request, response) => {
        requests += 1;
        const { status, headers, body } = answer(`http://${request.headers.host}`);
        response.writeHead(status, headers).end(body);
      });
      const url = await listening(server);
      let time = 0;
      const check = await openOidcCheck(oidcOptionsSchema.parse({ ...options(), jwksUri: url }), () => time);
      const refused = async (): Promise<void> => {
        await expect(check.identify(token, world.clock.now, undefined)).rejects.toMatchObject({
          code: 'BROKER_ADMIN_ISSUER',
        });
      };
      for (let count = 0; count < 3; count += 1) await refused();
      expect(requests).toBe(1);
      time = 30_000;
      await refused();
      expect(requests).toBe(2);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('are told apart from a broker without them, and no issuer is trusted over plain HTTP elsewhere', () => {
    const refused = (changes: Record<string, unknown>): boolean =>
      !oidcOptionsSchema.safeParse({ ...options(), ...changes }).success;
    expect(refused({})).toBe(false);
    expect(refused({ jwksUri: 'http://issuer.example.com/jwks' })).toBe(true);
    expect(refused({ issuer: 'http://issuer.example.com' })).toBe(true);
    expect(refused({ algorithms: ['HS256'] })).toBe(true);
    expect(refused({ algorithms: ['none'] })).toBe(true);
    expect(refused({ algorithms: [] })).toBe(true);
    expect(refused({ identities: [] })).toBe(true);
  });
});
