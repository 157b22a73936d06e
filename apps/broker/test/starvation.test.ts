import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import { challengeSchema, keyReleaseResponseSchema } from '@fastness/channel/wire';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { openAuditLog } from '../src/audit/log.ts';
import type { BrokerLimitsInput } from '../src/limits.ts';
import { registerRelease } from '../src/register.ts';
import { registrationSchema } from '../src/registration.ts';
import { leasePageSchema } from '../src/routes/admin.ts';
import { createApp, type BrokerApp } from '../src/routes/app.ts';
import { claimInstance, onlyInstance, openStore } from '../src/store/index.ts';
import { attest, createEnclave, refusalOf, type Answer, type AttestOptions } from './actors.ts';
import { createContext, tokenAuthentication } from './context.ts';
import { freshDatabase } from './databases.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, type TestRelease, type World } from './world.ts';

// Strangers who ask for as much as they are given, from many addresses: what is left for those who hold a lease.
const directory = temporaryDirectory();
const home = '192.0.2.1';
const strangers = Array.from({ length: 6 }, (_, index) => `198.51.100.${index + 1}`);
/** A burst, and next to nothing after it. */
const burst = (size: number): { perSecond: number; burst: number } => ({ perSecond: 1e-6, burst: size });
let world: World;
let release: TestRelease;

beforeAll(async () => {
  world = await createWorld(directory);
  release = await world.release();
});
afterAll(() => world.keyStore[Symbol.asyncDispose]());

async function brokerWith(limits: BrokerLimitsInput): Promise<BrokerApp> {
  world.clock.now = dawn;
  const now = (): Date => world.clock.now;
  const db = await openStore(await freshDatabase(directory));
  const audit = await openAuditLog({ path: freshPath(directory, 'audit'), now });
  onTestFinished(async () => {
    await audit.close();
    await db.destroy();
  });
  const claim = await claimInstance(db, onlyInstance, audit.head);
  const context = createContext({ world, db, claim, audit, now, limits });
  await registerRelease(context, registrationSchema.parse({ package: release.package, keys: release.keys }), {});
  return createApp({ context, authentication: await tokenAuthentication(), report: () => {} });
}

/** A connection from `address`. */
function connection(address: string): HttpBindings {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: address });
  const incoming = new IncomingMessage(socket);
  return { incoming, outgoing: new ServerResponse(incoming) };
}

async function ask(app: BrokerApp, address: string, path: string, json?: unknown): Promise<Answer> {
  const body = json === undefined ? {} : { body: JSON.stringify(json) };
  const headers = { 'content-type': 'application/json' };
  const response = await app.request(path, { method: 'POST', headers, ...body }, connection(address));
  return { status: response.status, body: await response.json(), headers: response.headers };
}

async function nonceFor(app: BrokerApp, address: string): Promise<string> {
  return challengeSchema.parse((await ask(app, address, '/v1/challenges')).body).nonce;
}

/** A key, or a renewal, for an enclave at `address`. */
async function keyFor(
  app: BrokerApp,
  address: string,
  options: Pick<AttestOptions, 'enclave'> & { leaseId?: string },
): Promise<Answer> {
  const nonce = await nonceFor(app, address);
  return await ask(app, address, '/v1/key-releases', await attest({ world, release, nonce, ...options }));
}

async function leaseIdOf(app: BrokerApp, answer: Answer): Promise<string> {
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  keyReleaseResponseSchema.parse(answer.body);
  const headers = { authorization: `Bearer ${adminToken}` };
  const listed = await app.request('/v1/admin/leases', { headers }, connection('127.0.0.1'));
  const [lease] = leasePageSchema.parse(await listed.json()).leases;
  return lease?.leaseId ?? 'none';
}

it('strangers who take every challenge leave some to those who hold a lease', async () => {
  const app = await brokerWith({ rates: { challenge: { perAddress: burst(2), global: burst(8) } } });
  const enclave = await createEnclave();
  const leaseId = await leaseIdOf(app, await keyFor(app, home, { enclave }));
  for (const address of strangers) for (let index = 0; index < 3; index += 1) await ask(app, address, '/v1/challenges');
  expect(refusalOf(await ask(app, '203.0.113.1', '/v1/challenges'))).toBe('BROKER_RATE_LIMIT');
  for (let index = 0; index < 3; index += 1) {
    expect((await keyFor(app, home, { enclave, leaseId })).status).toBe(200);
  }
  // Without a lease nobody is spared.
  world.clock.now = new Date(dawn.getTime() + 600_000);
  const codes = new Set<string>();
  for (let index = 0; index < 3; index += 1) {
    const answer = await ask(app, home, '/v1/challenges');
    if (answer.status !== 200) codes.add(refusalOf(answer));
  }
  expect([...codes]).toEqual(['BROKER_RATE_LIMIT']);
});

it('strangers who fill the table of challenges keep nobody from getting one', async () => {
  const app = await brokerWith({
    maxChallenges: 20,
    rates: { challenge: { perAddress: burst(4), global: burst(1000) } },
  });
  for (const address of strangers) for (let index = 0; index < 4; index += 1) await nonceFor(app, address);
  const enclave = await createEnclave();
  const nonce = await nonceFor(app, home);
  for (const address of ['203.0.113.1', '203.0.113.2', '203.0.113.3']) await nonceFor(app, address);
  const answer = await ask(app, home, '/v1/key-releases', await attest({ world, release, nonce, enclave }));
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
});

it('strangers who use up the key releases do not stop renewals; a lease pays for so many and no more', async () => {
  const app = await brokerWith({
    rates: {
      keyRelease: { perAddress: burst(20), global: burst(7) },
      renewal: { perLease: burst(3), global: burst(100) },
    },
  });
  const enclave = await createEnclave();
  const leaseId = await leaseIdOf(app, await keyFor(app, home, { enclave }));
  const garbage = await attest({ world, enclave, release, nonce: await nonceFor(app, home) });
  for (const address of strangers) {
    const answer = await ask(app, address, '/v1/key-releases', { ...garbage, nonce: 'A'.repeat(43) });
    expect(refusalOf(answer)).toBe('BROKER_NONCE_UNKNOWN');
  }
  expect(refusalOf(await keyFor(app, home, { enclave }))).toBe('BROKER_RATE_LIMIT');
  expect(refusalOf(await keyFor(app, home, { enclave, leaseId: '0'.repeat(32) }))).toBe('BROKER_RATE_LIMIT');
  for (let index = 0; index < 3; index += 1) {
    expect((await keyFor(app, home, { enclave, leaseId })).status).toBe(200);
  }
  expect(refusalOf(await keyFor(app, home, { enclave, leaseId }))).toBe('BROKER_RATE_LIMIT');
});

it('a lease that has ended pays for nothing, and one address pays for itself', async () => {
  const app = await brokerWith({ rates: { keyRelease: { perAddress: burst(3), global: burst(1) } } });
  const enclave = await createEnclave();
  const leaseId = await leaseIdOf(app, await keyFor(app, home, { enclave }));
  expect((await keyFor(app, home, { enclave, leaseId })).status).toBe(200);
  world.clock.now = new Date(dawn.getTime() + 600_000);
  expect(refusalOf(await keyFor(app, '203.0.113.1', { enclave, leaseId }))).toBe('BROKER_RATE_LIMIT');
  world.clock.now = dawn;
  expect((await keyFor(app, home, { enclave, leaseId })).status).toBe(200);
  expect(refusalOf(await keyFor(app, home, { enclave, leaseId }))).toBe('BROKER_RATE_LIMIT');
});

it('strangers who read the number of a lease in the public log cannot spend what it pays for', async () => {
  const app = await brokerWith({
    rates: {
      keyRelease: { perAddress: burst(20), global: burst(7) },
      renewal: { perLease: burst(3), global: burst(4) },
    },
  });
  const enclave = await createEnclave();
  const leaseId = await leaseIdOf(app, await keyFor(app, home, { enclave }));
  const garbage = { ...(await attest({ world, enclave, release, nonce: 'A'.repeat(43) })), leaseId };
  const codes = new Set<string>();
  for (const address of strangers)
    for (let index = 0; index < 3; index += 1)
      codes.add(refusalOf(await ask(app, address, '/v1/key-releases', garbage)));
  expect([...codes].toSorted()).toEqual(['BROKER_NONCE_UNKNOWN', 'BROKER_RATE_LIMIT']);
  for (let index = 0; index < 3; index += 1) {
    expect((await keyFor(app, home, { enclave, leaseId })).status).toBe(200);
  }
});

it('another enclave, which holds a lease of its own, cannot spend that of its neighbour either', async () => {
  const app = await brokerWith({
    rates: {
      keyRelease: { perAddress: burst(40), global: burst(2) },
      renewal: { perLease: burst(3), global: burst(100) },
    },
  });
  const enclave = await createEnclave();
  const leaseId = await leaseIdOf(app, await keyFor(app, home, { enclave }));
  const neighbour = '2001:db8::1';
  expect((await keyFor(app, neighbour, { enclave: await createEnclave() })).status).toBe(200);
  const garbage = { ...(await attest({ world, enclave, release, nonce: 'A'.repeat(43) })), leaseId };
  for (let index = 0; index < 4; index += 1) refusalOf(await ask(app, neighbour, '/v1/key-releases', garbage));
  for (let index = 0; index < 3; index += 1) {
    expect((await keyFor(app, home, { enclave, leaseId })).status).toBe(200);
  }
});
