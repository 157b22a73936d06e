import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { earClaimsSchema } from '@fastness/attest';
import { hpkeOpen, keyReleaseAad, keyReleaseInfo, sealedKeyFromJson, verifyLease } from '@fastness/channel';
import { fromBase64Url } from '@fastness/codec/bytes';
import { importSPKI, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyAuditLog, type Broker, type DatabaseLocation } from '../src/index.ts';
import {
  admin,
  attest,
  call,
  challenge,
  createEnclave,
  granted,
  refusalOf,
  requestKey,
  type TestEnclave,
} from './actors.ts';
import { brokerDatabase, contentOf, freshDatabase } from './databases.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import {
  adminToken,
  createWorld,
  dawn,
  measurement,
  passphrase,
  simulatedMeasurement,
  type TestRelease,
  type World,
} from './world.ts';

const directory = temporaryDirectory();
const auditPath = freshPath(directory, 'audit');
let database: DatabaseLocation;
let world: World;
let broker: Broker;
let release: TestRelease;

beforeAll(async () => {
  world = await createWorld(directory);
  database = await freshDatabase(directory);
  broker = await world.start({ auditPath, ...brokerDatabase(database) });
  release = await admin.registered(broker.url, await world.release());
});
afterAll(() => broker.close());

async function openRoot(
  enclave: TestEnclave,
  sealed: { enc: string; ciphertext: string },
  enclaveNonce: Uint8Array,
): Promise<Uint8Array> {
  const aad = keyReleaseAad({ releaseDigest: release.digest, keyConfigDigest: enclave.keyConfigDigest, enclaveNonce });
  return await hpkeOpen({ keys: enclave.keys, info: keyReleaseInfo, aad, ...sealedKeyFromJson(sealed) });
}

describe('a key release', () => {
  for (const simulated of [false, true]) {
    it(`gives the root key to an attested enclave and to nobody else (${simulated ? 'simulated' : 'forged hardware'})`, async () => {
      const enclave = await createEnclave();
      const enclaveNonce = new Uint8Array(randomBytes(32));
      const { nonce } = await challenge(broker.url);
      const request = await attest({ world, enclave, release, nonce, simulated, enclaveNonce });
      const response = granted(await call(`${broker.url}/v1/key-releases`, { method: 'POST', json: request }));
      if (response.sealedRoot === undefined) throw new Error('no key');
      expect(await openRoot(enclave, response.sealedRoot, enclaveNonce)).toEqual(release.root);
      const other = await createEnclave();
      await expect(openRoot(other, response.sealedRoot, enclaveNonce)).rejects.toMatchObject({
        code: 'CHANNEL_SEALED_KEY',
      });
      await expect(openRoot(enclave, response.sealedRoot, new Uint8Array(32))).rejects.toMatchObject({
        code: 'CHANNEL_SEALED_KEY',
      });

      const expected = { releaseDigest: release.digest, keyConfigDigest: enclave.keyConfigDigest, enclaveNonce };
      const lease = await verifyLease({ lease: fromBase64Url(response.lease), brokerKey: world.brokerKey, expected });
      expect(lease).toMatchObject({ ttlSeconds: 600, issuedAt: dawn });
      expect(response.brokerTime).toBe(dawn.toISOString());

      const pem = `-----BEGIN PUBLIC KEY-----\n${Buffer.from(world.brokerKey).toString('base64')}\n-----END PUBLIC KEY-----`;
      const { payload, protectedHeader } = await jwtVerify(response.ear, await importSPKI(pem, 'EdDSA'), {
        algorithms: ['EdDSA'],
        currentDate: dawn,
      });
      expect(protectedHeader.typ).toBe('eat+jwt');
      const ear = earClaimsSchema.parse(payload);
      expect(ear).toMatchObject({ eat_nonce: nonce, ear_status: simulated ? 'contraindicated' : 'affirming' });
      expect(ear.ear_raw_evidence).toEqual(request.evidence);

      const entry = (await admin.audit(broker.url)).findLast(({ kind }) => kind === 'key-released');
      expect(entry?.facts).toMatchObject({
        releaseDigest: release.digestHex,
        modelId: 'tiny',
        version: 1,
        leaseId: lease.leaseId,
        leaseExpires: new Date(dawn.getTime() + 600_000).toISOString(),
        simulated,
        measurement: simulated ? simulatedMeasurement : measurement,
        waivers: [],
      });
      const leases = await call(`${broker.url}/v1/admin/leases`, { token: adminToken });
      expect(leases.body).toMatchObject({
        leases: expect.arrayContaining([expect.objectContaining({ leaseId: lease.leaseId, simulated })]),
      });
    });
  }

  it('lets one of twenty requests with the same nonce through', async () => {
    const enclave = await createEnclave();
    const { nonce } = await challenge(broker.url);
    const request = await attest({ world, enclave, release, nonce });
    const before = (await admin.audit(broker.url)).length;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => call(`${broker.url}/v1/key-releases`, { method: 'POST', json: request })),
    );
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.map(refusalOf)).toEqual(Array.from({ length: 19 }, () => 'BROKER_NONCE_REUSED'));
    const entries = (await admin.audit(broker.url)).slice(before);
    expect(entries.filter(({ kind }) => kind === 'key-released')).toHaveLength(1);
    expect(entries.filter(({ kind }) => kind === 'refused')).toHaveLength(19);
  });

  it('ends the lease with the release at the latest', async () => {
    const short = await admin.registered(
      broker.url,
      await world.release({ version: 1, expires: '2026-11-23T12:01:00Z', modelId: 'short' }, { modelId: 'short' }),
    );
    const enclave = await createEnclave();
    const enclaveNonce = new Uint8Array(randomBytes(32));
    const response = granted(await requestKey(broker.url, { world, enclave, release: short, enclaveNonce }));
    const expected = { releaseDigest: short.digest, keyConfigDigest: enclave.keyConfigDigest, enclaveNonce };
    const lease = await verifyLease({ lease: fromBase64Url(response.lease), brokerKey: world.brokerKey, expected });
    expect(lease.ttlSeconds).toBe(60);
  });
});

it('leaves no nonce, key, token or passphrase in log or database', async () => {
  const enclave = await createEnclave();
  const enclaveNonce = new Uint8Array(randomBytes(32));
  const { nonce } = await challenge(broker.url);
  const request = await attest({ world, enclave, release, nonce, enclaveNonce });
  granted(await call(`${broker.url}/v1/key-releases`, { method: 'POST', json: request }));
  // Refusals of every kind must not tell more than successes.
  for (const changed of [
    { nonce },
    { nonce: 'x' },
    { enclaveNonce: nonce },
    { releaseDigest: nonce },
    { leaseId: nonce },
  ]) {
    await call(`${broker.url}/v1/key-releases`, { method: 'POST', json: { ...request, ...changed } });
  }
  await call(`${broker.url}/v1/admin/audit`, { token: `${adminToken}x` });
  const files = `${readFileSync(auditPath, 'latin1')}\n${await contentOf(database)}`;
  const secrets = {
    root: release.root,
    nonce: fromBase64Url(nonce),
    enclaveNonce,
    passphrase,
    token: Buffer.from(adminToken),
  };
  for (const [name, secret] of Object.entries(secrets)) {
    for (const encoding of ['latin1', 'hex', 'base64', 'base64url'] as const) {
      expect(files.includes(Buffer.from(secret).toString(encoding)), `${name} as ${encoding}`).toBe(false);
    }
  }
  expect(readFileSync(auditPath, 'utf8')).not.toContain(request.evidence[1].slice(0, 100));
  await verifyAuditLog(auditPath);
});
