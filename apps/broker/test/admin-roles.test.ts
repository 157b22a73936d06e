import type { Agent } from 'node:https';
import { join } from 'node:path';
import { basicConstraints, keyUsage, type ForgedKeys } from '@fastness/testkit';
import { challengeSchema } from '@fastness/channel/wire';
import { encodePem } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  adminRoles,
  adminRoutes,
  auditPageSchema,
  type AdministratorsInput,
  type AuditEntry,
  type Broker,
} from '../src/index.ts';
import { rcarOptionsSchema } from '../src/rcar/options.ts';
import { createApp } from '../src/routes/app.ts';
import { openAuditLog } from '../src/audit/log.ts';
import { openStore } from '../src/store/index.ts';
import { administrativeKinds } from '../src/audit/facts.ts';
import { createEnclave, refusalOf, type Answer } from './actors.ts';
import {
  agentOf,
  alternativeNames,
  ask,
  createAuthority,
  forClients,
  inTime,
  serverTls,
  usableFor,
  write,
  type Authority,
  type Credential,
} from './admin-authority.ts';
import { createContext, tokenAuthentication } from './context.ts';
import { attest } from './enclave.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, type World } from './world.ts';

const directory = temporaryDirectory();
const people = ['olga', 'anna', 'otto', 'auda'] as const;
const rate = { perSecond: 1000, burst: 1000 };
const wide = { perAddress: rate, global: rate };
const roomy = { rates: { admin: wide, adminFailure: wide, adminIdentity: rate } };

let world: World;
let authority: Authority;
let broker: Broker;
let tls: { certificate: string; privateKey: string };
const credentials = new Map<string, Credential>();
const agents = new Map<string, Agent>();
const authorityPath = join(directory, 'authority.pem');
const revocationListPath = join(directory, 'revoked.pem');

const agent = (name: string): Agent => agents.get(name) ?? agentOf();
const later = (seconds: number): Date => new Date(dawn.getTime() + seconds * 1000);
const certificates = (): NonNullable<AdministratorsInput['certificates']> & { revocationListPath: string } => ({
  authorityPath,
  revocationListPath,
  identities: [
    ...people.map((name, index) => ({
      name,
      roles: adminRoles.slice(index, index + 1),
      spkiSha256: credentials.get(name)?.spkiSha256 ?? '',
    })),
    { name: 'by-uri', roles: ['auditor', 'approver'], subjectAltName: 'URI:spiffe://example.com/audit' },
  ],
});

beforeAll(async () => {
  world = await createWorld(directory);
  authority = await createAuthority();
  tls = await serverTls();
  for (const name of people) {
    const credential = await authority.issue();
    credentials.set(name, credential);
    agents.set(name, agentOf(credential, true));
  }
  write(authorityPath, authority.pem);
  write(revocationListPath, await authority.list([]));
  broker = await world.start({
    listen: { host: '127.0.0.1', port: 0, tls },
    administrators: { certificates: certificates() },
    rcar: {},
    limits: roomy,
  });
});
afterAll(async () => {
  for (const each of agents.values()) each.destroy();
  await broker.close();
});
beforeEach(() => {
  world.clock.now = dawn;
});

const outcome = ({ status, body }: Answer): unknown[] => {
  const { code, detail, name } = z
    .looseObject({ code: z.string(), detail: z.string(), name: z.string() })
    .partial()
    .parse(body);
  return [status, code ?? name, ...(detail === undefined ? [] : [detail])];
};

async function auditAfter(seq: number): Promise<AuditEntry[]> {
  const answer = await ask(agent('auda'), `${broker.url}/v1/admin/audit?after=${seq}&limit=1000`);
  return auditPageSchema.parse(answer.body).entries;
}
async function lastSeq(): Promise<number> {
  const answer = await ask(agent('auda'), `${broker.url}/v1/admin/audit?limit=1`);
  return auditPageSchema.parse(answer.body).head.seq;
}

describe('roles', () => {
  /** Who may: owner, approver, operator, auditor, in this order. */
  const table: Readonly<Record<string, string>> = {
    'GET /v1/admin/identity': 'yyyy',
    'PUT /v1/admin/releases': 'y...',
    'POST /v1/admin/revocations': 'y.y.',
    'POST /v1/admin/revocations/preview': 'y.yy',
    'GET /v1/admin/audit': 'y.yy',
    'GET /v1/admin/leases': 'y.yy',
    'PUT /v1/admin/wrapped-keys': 'y.y.',
    'GET /v1/admin/wrapping-keys': 'y.yy',
    'POST /v1/admin/wrapping-keys': 'y.y.',
    'GET /v1/admin/policy': 'yyyy',
    'PUT /v1/admin/policy': 'y...',
    'GET /v1/admin/quorum': 'yyyy',
    'POST /v1/admin/proposals': 'yyy.',
    'GET /v1/admin/proposals': 'yyyy',
    'GET /v1/admin/proposals/{id}': 'yyyy',
    'POST /v1/admin/proposals/{id}/approvals': 'yyy.',
    'POST /v1/admin/proposals/{id}/execution': 'y.y.',
    'POST /v1/admin/proposals/{id}/cancellation': 'yyy.',
    'PUT /v1/admin/resources': 'y...',
    'GET /v1/admin/resources': 'y.yy',
    'DELETE /v1/admin/resources/{repository}/{type}/{tag}': 'y...',
  };

  it('are in one table with every route that the broker has', async () => {
    await using db = await openStore(freshPath(directory, 'database'));
    const now = (): Date => world.clock.now;
    await using audit = await openAuditLog({ path: freshPath(directory, 'audit'), now });
    const context = createContext({ world, db, claim: { instance: 'default', holder: '' }, audit, now });
    const rcar = rcarOptionsSchema.parse({});
    const app = createApp({ context, authentication: await tokenAuthentication(), report: () => {}, rcar });
    const served = app.routes
      .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/v1/admin/'))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect([...new Set(served)].toSorted()).toEqual(Object.keys(table).toSorted());
    expect(adminRoutes.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(
      Object.keys(table).toSorted(),
    );
    expect(Object.isFrozen(adminRoutes) && adminRoutes.every((row) => Object.isFrozen(row))).toBe(true);
  });

  it('are nobody’s who shows no credential, or that of another authority, on every route', async () => {
    const nobody = agentOf();
    const stranger = agentOf(await (await createAuthority()).issue());
    for (const route of Object.keys(table)) {
      const [method = '', path = ''] = route.split(' ');
      const url = `${broker.url}${path.replaceAll(/\{\w+\}/g, 'x')}`;
      const codes = [nobody, stranger].map(async (who) => refusalOf(await ask(who, url, { method })));
      expect(await Promise.all(codes), route).toEqual(['BROKER_ADMIN_UNAUTHORIZED', 'BROKER_ADMIN_CERTIFICATE']);
    }
    nobody.destroy();
    stranger.destroy();
  });

  it('let each administrator do exactly what is theirs, and the log says who was refused', async () => {
    for (const [route, row] of Object.entries(table)) {
      const [method = '', path = ''] = route.split(' ');
      const url = `${broker.url}${path.replaceAll(/\{\w+\}/g, 'x')}`;
      for (const [index, name] of people.entries()) {
        const before = await lastSeq();
        const answer = await ask(agent(name), url, { method });
        const where = `${route} as ${name}`;
        if (row[index] === 'y') {
          // Whatever else is wrong with these requests.
          expect(String(outcome(answer)[1]), where).not.toMatch(/^BROKER_ADMIN_/);
          continue;
        }
        expect([answer.status, refusalOf(answer)], where).toEqual([403, 'BROKER_ADMIN_FORBIDDEN']);
        const [entry] = await auditAfter(before);
        expect(entry, where).toMatchObject({
          kind: 'refused',
          facts: {
            operation: 'administration',
            code: 'BROKER_ADMIN_FORBIDDEN',
            by: { name, via: 'certificate' },
            route: path.slice('/v1/admin/'.length).replaceAll(/\{(\w+)\}/g, ':$1'),
          },
        });
      }
    }
  });

  it('reach into what a route changes: an operator ends no key', async () => {
    const change = async (name: string, json: object): Promise<string> =>
      refusalOf(await ask(agent(name), `${broker.url}/v1/admin/wrapping-keys`, { method: 'POST', json }));
    for (const json of [
      { change: 'minimum-version', keyId: 'absent', minimumVersion: 1 },
      { change: 'schedule-destruction', keyId: 'absent', delaySeconds: 1 },
    ]) {
      expect(await change('otto', json)).toBe('BROKER_ADMIN_FORBIDDEN');
      expect(await change('olga', json)).not.toBe('BROKER_ADMIN_FORBIDDEN');
    }
    for (const kind of ['rotate', 'disable', 'enable', 'cancel-destruction'])
      expect(await change('otto', { change: kind, keyId: 'absent' }), kind).not.toBe('BROKER_ADMIN_FORBIDDEN');
  });

  it('do not reach where there is no such route, and unknown methods stay what they are', async () => {
    const at = async (path: string, method: string): Promise<string> =>
      refusalOf(await ask(agent('auda'), `${broker.url}${path}`, { method }));
    expect(await at('/v1/admin/nothing', 'GET')).toBe('BROKER_ROUTE_UNKNOWN');
    expect(await at('/v1/admin/audit', 'DELETE')).toBe('BROKER_METHOD_NOT_ALLOWED');
    expect(await at('/v1/admin/releases/', 'PUT')).toBe('BROKER_ROUTE_UNKNOWN');
  });

  it('the log names who did what, and nobody where no administrator did', async () => {
    const before = await lastSeq();
    const release = await world.release();
    const registered = await ask(agent('olga'), `${broker.url}/v1/admin/releases`, {
      method: 'PUT',
      json: { package: release.package, keys: release.keys },
    });
    expect(registered.status, JSON.stringify(registered.body)).toBe(200);
    const enclave = await createEnclave();
    const plain = agentOf();
    const { nonce } = challengeSchema.parse((await ask(plain, `${broker.url}/v1/challenges`, { method: 'POST' })).body);
    const json = await attest({ world, enclave, release, nonce });
    expect((await ask(plain, `${broker.url}/v1/key-releases`, { method: 'POST', json })).status).toBe(200);
    const revocation = { kind: 'measurement', value: 'ee'.repeat(48), reason: 'test' };
    const revoked = await ask(agent('otto'), `${broker.url}/v1/admin/revocations`, {
      method: 'POST',
      json: revocation,
    });
    expect(revoked.status).toBe(200);
    const policy = await ask(agent('olga'), `${broker.url}/v1/admin/policy`, {
      method: 'PUT',
      json: { policy: world.policy },
    });
    expect(policy.status, JSON.stringify(policy.body)).toBe(200);
    const token = await ask(plain, `${broker.url}/v1/admin/revocations`, {
      method: 'POST',
      token: adminToken,
      json: { ...revocation, value: 'ef'.repeat(48) },
    });
    expect(token.status).toBe(200);
    const entries = await auditAfter(before);
    const by = (kind: string): unknown =>
      entries.filter((entry) => entry.kind === kind).map(({ facts }) => facts['by']);
    const olga = { name: 'olga', via: 'certificate' };
    expect(by('approval-seen')).toEqual([olga, olga]);
    expect(by('release-registered')).toEqual([olga]);
    expect(by('policy-changed')).toEqual([olga]);
    expect(by('revocation')).toEqual([
      { name: 'otto', via: 'certificate' },
      { name: 'token', via: 'token' },
    ]);
    expect(by('key-released')).toEqual([undefined]);
    for (const { kind, facts } of entries) expect('by' in facts, kind).toBe(administrativeKinds.has(kind));
  });
});

describe('client certificates', () => {
  const identity = async (client: Agent, options: { token?: string } = {}): ReturnType<typeof ask> =>
    await ask(client, `${broker.url}/v1/admin/identity`, options);
  const of = async (credential: Credential): Promise<unknown[]> => outcome(await identity(agentOf(credential)));
  const olga = (): ForgedKeys => {
    const credential = credentials.get('olga');
    if (credential === undefined) throw new Error('no credential');
    return credential.keys;
  };

  it('say who one is, by key or by name', async () => {
    expect((await identity(agent('otto'))).body).toEqual({ name: 'otto', via: 'certificate', roles: ['operator'] });
    const uri = 'spiffe://example.com/audit';
    const named = await authority.issue({
      extensions: [...forClients, alternativeNames([2, 'example.com'], [6, uri])],
    });
    expect(await of(named)).toEqual([200, 'by-uri']);
    const others = [
      [1, uri],
      [2, uri],
      [2, `URI:${uri}`],
      [6, `${uri}/more`],
      [6, uri.toUpperCase()],
    ] as const;
    for (const [kind, text] of others) {
      const other = await authority.issue({ extensions: [...forClients, alternativeNames([kind, text])] });
      const answer = await of(other);
      expect(answer, text).toEqual([403, 'BROKER_ADMIN_IDENTITY_UNKNOWN', `Key ${other.spkiSha256}.`]);
    }
  });

  it('do not count unless everything about them holds', async () => {
    const other = await createAuthority();
    const keys = olga();
    const client = usableFor('client');
    const cases: [string, Promise<Credential>][] = [
      ['X509_SIGNATURE', other.issue({ keys })],
      ['X509_ISSUER_NAME', authority.issue({ keys, issuer: { name: 'Others', keys: authority.keys } })],
      ['X509_EXPIRED', authority.issue({ keys, validity: { ...inTime, notAfter: new Date(dawn.getTime() - 1000) } })],
      ['X509_NOT_YET_VALID', authority.issue({ keys, validity: { ...inTime, notBefore: later(1) } })],
      ['X509_KEY_USAGE', authority.issue({ keys, extensions: [usableFor('server')] })],
      ['X509_KEY_USAGE', authority.issue({ keys, extensions: [keyUsage('digitalSignature')] })],
      ['X509_KEY_USAGE', authority.issue({ keys, extensions: [keyUsage('keyEncipherment'), client] })],
      ['X509_KEY_USAGE', authority.issue({ keys, extensions: [basicConstraints({ ca: true }), client] })],
      [
        'X509_CRITICAL_EXTENSION',
        authority.issue({ keys, extensions: [...forClients, { oid: '1.2.3.4', critical: true, value: der.null() }] }),
      ],
    ];
    expect(await of(await authority.issue({ keys }))).toEqual([200, 'olga']);
    for (const [code, credential] of cases)
      expect(await of(await credential)).toEqual([401, 'BROKER_ADMIN_CERTIFICATE', `${code}.`]);
    expect(outcome(await identity(agentOf()))).toEqual([401, 'BROKER_ADMIN_UNAUTHORIZED']);
    const failures = (await auditAfter(0))
      .filter(({ kind }) => kind === 'admin-auth-failure')
      .map(({ facts }) => facts);
    expect(failures).toContainEqual({
      route: 'identity',
      presented: 'certificate',
      code: 'BROKER_ADMIN_CERTIFICATE',
    });
    expect(failures.at(-1)).toEqual({ route: 'identity', presented: 'nothing' });
  });

  it('a header counts in place of a certificate, for better and for worse', async () => {
    expect(outcome(await identity(agent('olga'), { token: 'wrong' }))).toEqual([401, 'BROKER_ADMIN_UNAUTHORIZED']);
    expect(outcome(await identity(agent('auda'), { token: adminToken }))).toEqual([200, 'token']);
  });

  it('end with their time and when they are revoked, also on a connection that is open', async () => {
    const revocable = await authority.issue({ keys: olga(), serial: 77 });
    const client = agentOf(revocable, true);
    expect(outcome(await identity(client))).toEqual([200, 'olga']);
    // A session that is resumed on another connection is the same client's.
    const resuming = agentOf(revocable);
    expect(outcome(await identity(resuming))).toEqual([200, 'olga']);
    const resumed = await identity(resuming);
    expect([resumed.resumed, ...outcome(resumed)]).toEqual([true, 200, 'olga']);
    write(revocationListPath, await authority.list([76, 77]));
    const late = await identity(resuming);
    expect([late.resumed, ...outcome(late)]).toEqual([true, 401, 'BROKER_ADMIN_CERTIFICATE', 'X509_REVOKED.']);
    const revoked = await identity(client);
    expect(revoked.reused).toBe(true);
    expect(outcome(revoked)).toEqual([401, 'BROKER_ADMIN_CERTIFICATE', 'X509_REVOKED.']);
    write(revocationListPath, await authority.list([]));
    expect(outcome(await identity(client))).toEqual([200, 'olga']);

    const short = agentOf(await authority.issue({ keys: olga(), validity: { ...inTime, notAfter: later(60) } }), true);
    expect(outcome(await identity(short))).toEqual([200, 'olga']);
    world.clock.now = later(61);
    const expired = await identity(short);
    expect(expired.reused).toBe(true);
    expect(outcome(expired)).toEqual([401, 'BROKER_ADMIN_CERTIFICATE', 'X509_EXPIRED.']);
    for (const each of [client, short]) each.destroy();
  });

  it('count for nothing without a current revocation list of their authority', async () => {
    const other = await createAuthority();
    const stale = await authority.list([], later(60));
    const unavailable = [503, 'BROKER_ADMIN_REVOCATION_LIST'];
    for (const text of ['', await other.list([]), encodePem(new Uint8Array([0x30, 0]), 'X509 CRL')]) {
      write(revocationListPath, text);
      expect(outcome(await identity(agent('olga')))).toEqual(unavailable);
    }
    write(revocationListPath, stale);
    expect(outcome(await identity(agent('olga')))).toEqual([200, 'olga']);
    world.clock.now = later(62);
    expect(outcome(await identity(agent('olga')))).toEqual(unavailable);
    expect(outcome(await identity(agentOf(), { token: adminToken }))).toEqual([200, 'token']);
    write(revocationListPath, await authority.list([]));
    expect(outcome(await identity(agent('olga')))).toEqual([200, 'olga']);
  });

  it('one administrator who asks too much slows nobody else down', async () => {
    const own = await world.start({
      listen: { host: '127.0.0.1', port: 0, tls },
      administrators: { certificates: certificates() },
      limits: { rates: { admin: wide, adminIdentity: { perSecond: 0.001, burst: 3 } } },
    });
    const at = async (name: string): Promise<Answer> => await ask(agent(name), `${own.url}/v1/admin/identity`);
    for (let count = 0; count < 3; count += 1) expect((await at('otto')).status).toBe(200);
    const limited = await at('otto');
    expect([limited.status, refusalOf(limited)]).toEqual([429, 'BROKER_RATE_LIMIT']);
    expect(limited.headers.get('retry-after')).toMatch(/^\d+$/);
    // From the same address.
    expect((await at('auda')).status).toBe(200);
    await own.close();
  });
});

describe('the configuration of administrators', () => {
  const refusedStart = async (options: Parameters<World['start']>[0], token?: boolean): Promise<unknown> =>
    await world.start(options, token === undefined ? {} : { token }).then(
      async (started) => await started.close(),
      (error: unknown) => error,
    );
  const listen = (): { host: string; port: number; tls: typeof tls } => ({ host: '127.0.0.1', port: 0, tls });

  it('is refused when it lets nobody in, or cannot be kept', async () => {
    const invalid = { code: 'BROKER_CONFIG_INVALID' };
    const of = (text: string): ReturnType<typeof certificates> => ({
      ...certificates(),
      authorityPath: write(freshPath(directory, 'authority'), text),
    });
    expect(await refusedStart({}, false)).toMatchObject(invalid);
    expect(await refusedStart({ administrators: { certificates: certificates() } })).toMatchObject(invalid);
    const leaf = await authority.issue();
    for (const text of ['', leaf.certificate, `${authority.pem}${(await createAuthority()).pem}`]) {
      const administrators = { certificates: of(text) };
      expect(await refusedStart({ listen: listen(), administrators }), text).toMatchObject(invalid);
    }
    const nobody = { ...certificates(), identities: [] };
    expect(await refusedStart({ listen: listen(), administrators: { certificates: nobody } })).toMatchObject(invalid);
  });

  it('can do without the token', async () => {
    const own = await world.start(
      { listen: listen(), administrators: { certificates: certificates() } },
      { token: false },
    );
    const url = `${own.url}/v1/admin/identity`;
    expect(refusalOf(await ask(agentOf(), url, { token: adminToken }))).toBe('BROKER_ADMIN_UNAUTHORIZED');
    expect((await ask(agent('olga'), url)).status).toBe(200);
    await own.close();
  });
});
