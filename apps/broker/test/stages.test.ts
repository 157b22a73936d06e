import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openAuditLog, type AuditLog } from '../src/audit/log.ts';
import { authorise, type AuthorisedRequest } from '../src/authorise.ts';
import { commitRecorded, type BrokerContext } from '../src/context.ts';
import { serveHttp } from '../src/http/server.ts';
import { registerRelease } from '../src/register.ts';
import { registrationSchema } from '../src/registration.ts';
import { releaseKey } from '../src/release-key.ts';
import { createApp } from '../src/routes/app.ts';
import {
  type BrokerDatabase,
  claimInstance,
  highestVersion,
  type InstanceClaim,
  issueChallenge,
  onlyInstance,
  openStore,
  raiseHighestVersion,
} from '../src/store/index.ts';
import { attest, call, createEnclave, refusalOf } from './actors.ts';
import { createContext, tokenAuthentication } from './context.ts';
import { freshDatabase } from './databases.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { createWorld, dawn, type TestRelease, type World } from './world.ts';

// The stages one by one, where HTTP cannot reach: a disk that fails, and a caller that skips a stage.
const directory = temporaryDirectory();
const now = (): Date => dawn;
let world: World;
let db: BrokerDatabase;
let claim: InstanceClaim;
let context: BrokerContext;
let release: TestRelease;

beforeAll(async () => {
  world = await createWorld(directory);
  db = await openStore(await freshDatabase(directory));
  const audit = await openAuditLog({ path: freshPath(directory, 'audit'), now });
  claim = await claimInstance(db, onlyInstance, audit.head);
  context = contextWith(audit);
  release = await world.release();
  await registerRelease(context, registrationSchema.parse({ package: release.package, keys: release.keys }), {});
});
afterAll(async () => {
  await context.audit.close();
  await db.destroy();
});

function contextWith(audit: AuditLog): BrokerContext {
  return createContext({ world, db, claim, audit, now });
}

async function authorised(): Promise<AuthorisedRequest> {
  const { nonce } = await issueChallenge(db, { now: dawn, ttlSeconds: 60, maxOutstanding: 10 });
  const text = Buffer.from(nonce).toString('base64url');
  const request = await attest({ world, enclave: await createEnclave(), release, nonce: text });
  return await authorise(context, request, {});
}

it('releases nothing for a request that was not authorised, or a second time for one that was', async () => {
  const request = await authorised();
  const before = context.audit.head.seq;
  await expect(releaseKey(context, { ...request })).rejects.toMatchObject({ code: 'BROKER_INTERNAL' });
  await expect(releaseKey(context, { ...request, enclaveNonce: randomBytes(32) })).rejects.toMatchObject({
    code: 'BROKER_INTERNAL',
  });
  expect(context.audit.head.seq).toBe(before);
  expect(await releaseKey(context, request)).toHaveProperty('sealedRoot');
  await expect(releaseKey(context, request)).rejects.toMatchObject({ code: 'BROKER_INTERNAL' });
});

it('releases and changes nothing when the audit log cannot be written', async () => {
  const request = await authorised();
  // A device on which every write fails for want of space.
  const broken = contextWith(await openAuditLog({ path: '/dev/full', now }));
  const leases = await db.selectFrom('leases').selectAll().execute();
  await expect(releaseKey(broken, request)).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  expect(await db.selectFrom('leases').selectAll().execute()).toEqual(leases);
  const raising = commitRecorded(broken, async (trx) => {
    await raiseHighestVersion(trx, 'tiny', 99);
    return { kind: 'stop', facts: {}, result: undefined };
  });
  await expect(raising).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  expect(await highestVersion(db, 'tiny')).toBe(1);

  const app = createApp({ context: broken, authentication: await tokenAuthentication(), report: () => {} });
  const { limits } = broken;
  const endpoint = await serveHttp({ listen: { host: '127.0.0.1', port: 0 }, limits, fetch: app.fetch });
  const { url } = endpoint;
  const healthy = await call(`${url}/health`);
  expect([healthy.status, refusalOf(healthy)]).toEqual([503, 'AUDIT_UNAVAILABLE']);
  const refused = await call(`${url}/v1/key-releases`, { method: 'POST', json: {} });
  expect([refused.status, refusalOf(refused)]).toEqual([503, 'AUDIT_UNAVAILABLE']);
  await endpoint.close();
  await broken.audit.close();
});
