import { randomBytes } from 'node:crypto';
import { cmwToJson, keyConfigDigestOf } from '@fastness/attest';
import { fromBase64Url, fromHex, toBase64Url } from '@fastness/codec/bytes';
import type { ErrorCode } from '@fastness/codec/errors';
import { forgeAmdChain, snpEndorsements } from '@fastness/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Broker, DatabaseLocation } from '../src/index.ts';
import {
  admin,
  attest,
  call,
  challenge,
  createEnclave,
  granted,
  refusalOf,
  requestKey,
  type Answer,
  type TestEnclave,
} from './actors.ts';
import { brokerDatabase, freshDatabase, tamper } from './databases.ts';
import { temporaryDirectory } from './temporary.ts';
import { createWorld, dawn, measurement, simulatedMeasurement, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
const later = (seconds: number): Date => new Date(dawn.getTime() + seconds * 1000);
let database: DatabaseLocation;
let world: World;
let broker: Broker;
let release: TestRelease;
let enclave: TestEnclave;

beforeAll(async () => {
  world = await createWorld(directory);
  database = await freshDatabase(directory);
  broker = await world.start(brokerDatabase(database));
  release = await admin.registered(broker.url, await world.release());
  enclave = await createEnclave();
});
afterAll(() => broker.close());
beforeEach(() => {
  world.clock.now = dawn;
});

/** Expects exactly this refusal, its audit entry, and that no key was released meanwhile. */
async function expectRefusal(
  code: ErrorCode,
  ask: () => Promise<Answer>,
  facts: Record<string, unknown> = {},
): Promise<void> {
  const before = (await admin.audit(broker.url)).at(-1)?.seq ?? 0;
  const answer = await ask();
  expect(refusalOf(answer)).toBe(code);
  const entries = await admin.audit(broker.url, before);
  expect(entries.map(({ kind }) => kind)).toEqual(['refused']);
  expect(entries[0]?.facts).toMatchObject({ operation: 'key-release', code, ...facts });
}

/** Sends an attestation over a fresh challenge, with something changed. */
const asking = (changes: Partial<Parameters<typeof attest>[0]>) => () =>
  requestKey(broker.url, { world, enclave, release, ...changes });

describe('nonces', () => {
  const send = async (nonce: string): Promise<Answer> =>
    call(`${broker.url}/v1/key-releases`, { method: 'POST', json: await attest({ world, enclave, release, nonce }) });

  it('that the broker did not issue', async () => {
    await expectRefusal('BROKER_NONCE_UNKNOWN', () => send(randomBytes(32).toString('base64url')), {
      releaseDigest: release.digestHex,
    });
  });
  it('that were used, even when that request was refused', async () => {
    const { nonce } = await challenge(broker.url);
    granted(await send(nonce));
    await expectRefusal('BROKER_NONCE_REUSED', () => send(nonce));
    const wasted = (await challenge(broker.url)).nonce;
    await expectRefusal('SNP_REPORT_DATA_MISMATCH', async () =>
      call(`${broker.url}/v1/key-releases`, {
        method: 'POST',
        json: await attest({ world, enclave, release, nonce: wasted, bind: { purpose: 'client' } }),
      }),
    );
    await expectRefusal('BROKER_NONCE_REUSED', () => send(wasted));
  });
  it('that have expired', async () => {
    const { nonce, expiresAt } = await challenge(broker.url);
    expect(expiresAt).toBe(later(60).toISOString());
    world.clock.now = later(60);
    await expectRefusal('BROKER_NONCE_EXPIRED', () => send(nonce));
  });
});

describe('evidence', () => {
  it('that is bound to another nonce, key configuration, release or purpose', async () => {
    const bindings: Parameters<typeof attest>[0]['bind'][] = [
      { nonce: new Uint8Array(32) },
      { keyConfigDigest: new Uint8Array(32) },
      { releaseDigest: new Uint8Array(32) },
      { purpose: 'client' },
      { deviceEvidenceDigest: new Uint8Array(32) },
    ];
    for (const bind of bindings) {
      await expectRefusal('SNP_REPORT_DATA_MISMATCH', asking({ bind: bind ?? {} }), { modelId: 'tiny', version: 1 });
    }
  });
  it('that is genuine but came with the keys of somebody else', async () => {
    const other = await createEnclave();
    const keys = { keyConfig: toBase64Url(other.keys.keyConfig), receiptKey: toBase64Url(other.receiptKey) };
    await expectRefusal('SNP_REPORT_DATA_MISMATCH', asking({ request: { keyConfig: keys.keyConfig } }));
    await expectRefusal('SNP_REPORT_DATA_MISMATCH', asking({ request: { receiptKey: keys.receiptKey } }));
  });
  it('of another measurement', async () => {
    await expectRefusal('SNP_MEASUREMENT_NOT_ALLOWED', asking({ report: { measurement: fromHex('ee'.repeat(48)) } }));
  });
  it('of a measurement that the release lists for the other kind of TEE', async () => {
    await expectRefusal(
      'SNP_MEASUREMENT_NOT_ALLOWED',
      asking({ report: { measurement: fromHex(simulatedMeasurement) } }),
    );
    await expectRefusal(
      'SNP_MEASUREMENT_NOT_ALLOWED',
      asking({ simulated: true, report: { measurement: fromHex(measurement) } }),
    );
  });
  it('of a debuggable guest', async () => {
    await expectRefusal('SNP_DEBUG_ALLOWED', asking({ report: { policy: 0x30000n | (1n << 19n) } }));
  });
  it('under a root that is not pinned, and simulated evidence that says it is hardware', async () => {
    const forged = await forgeAmdChain({
      product: 'Genoa',
      kind: 'vcek',
      now: dawn,
      keys: { ark: world.simulated.ark.keys },
    });
    await expectRefusal('SNP_ARK_NOT_PINNED', asking({ chain: forged }));
    await expectRefusal('SNP_ARK_NOT_PINNED', asking({ chain: world.simulated }));
    await expectRefusal('SNP_ARK_NOT_PINNED', asking({ simulated: true, chain: world.chain }));
  });
  it('without a revocation list', async () => {
    const endorsements = [cmwToJson(snpEndorsements({ certificates: world.chain.certificates }))];
    await expectRefusal('SNP_CRL_MISSING', asking({ request: { endorsements } }));
  });
  it('of a kind that nobody here verifies', async () => {
    await expectRefusal(
      'ATTEST_EVIDENCE_UNSUPPORTED',
      asking({ evidence: (evidence) => ({ ...evidence, type: 'application/vnd.example+cbor' }) }),
    );
  });
  it('whose key configuration has no X-Wing key', async () => {
    // The second entry of a gateway's list alone: X25519, which is weaker than the broker seals to.
    const list = enclave.keys.keyConfig;
    const first = ((list[0] ?? 0) << 8) | (list[1] ?? 0);
    const keyConfig = list.slice(2 + first);
    const keyConfigDigest = await keyConfigDigestOf({ ohttpKeyConfig: keyConfig, receiptKey: enclave.receiptKey });
    await expectRefusal(
      'CHANNEL_SUITE_UNSUPPORTED',
      asking({ bind: { keyConfigDigest }, request: { keyConfig: toBase64Url(keyConfig) } }),
    );
  });
});

describe('releases', () => {
  it('that are not registered', async () => {
    await expectRefusal('BROKER_RELEASE_UNKNOWN', asking({ request: { releaseDigest: 'ab'.repeat(32) } }));
  });
  it('that have expired', async () => {
    world.clock.now = new Date('2026-12-24T00:00:00Z');
    await expectRefusal('RELEASE_EXPIRED', asking({}));
  });
  it('that list no measurement for this kind of TEE', async () => {
    const measurements = [{ tee: 'sev-snp', simulated: false, value: measurement }] as const;
    const genuineOnly = await admin.registered(
      broker.url,
      await world.release({ modelId: 'genuine', measurements: [...measurements] }, { modelId: 'genuine' }),
    );
    await expectRefusal('BROKER_TEE_NOT_IN_RELEASE', asking({ release: genuineOnly, simulated: true }));
    granted(await requestKey(broker.url, { world, enclave, release: genuineOnly }));
  });
  it('that a registered version supersedes, even when nobody starts it', async () => {
    const older = await admin.registered(
      broker.url,
      await world.release({ modelId: 'rising', version: 4 }, { modelId: 'rising' }),
    );
    granted(await requestKey(broker.url, { world, enclave, release: older }));
    const newer = await admin.registered(
      broker.url,
      await world.release({ modelId: 'rising', version: 5 }, { modelId: 'rising' }),
    );
    await expectRefusal('BROKER_VERSION_ROLLBACK', asking({ release: older }), { modelId: 'rising', version: 4 });
    granted(await requestKey(broker.url, { world, enclave, release: newer }));
  });
  it('that somebody exchanged in the database', async () => {
    const victim = await admin.registered(
      broker.url,
      await world.release({ modelId: 'victim' }, { modelId: 'victim' }),
    );
    await tamper(database, (db) =>
      db
        .updateTable('releases')
        .set({ package: JSON.stringify(release.package) })
        .where('release_digest', '=', victim.digestHex),
    );
    await expectRefusal('BROKER_STORE_DAMAGED', asking({ release: victim }));
    const forged = JSON.stringify({
      ...victim.package,
      release: victim.package.release.replace('"version": 1', '"version": 9'),
    });
    await tamper(database, (db) =>
      db.updateTable('releases').set({ package: forged }).where('release_digest', '=', victim.digestHex),
    );
    await expectRefusal('RELEASE_DOCUMENT_DIGEST', asking({ release: victim }));
  });
  it('whose wrapped key somebody exchanged in the database: the lease is void and the log says so', async () => {
    const victim = await admin.registered(
      broker.url,
      await world.release({ modelId: 'swapped' }, { modelId: 'swapped' }),
    );
    await tamper(database, (db) =>
      db
        .updateTable('releases')
        .set({ keys: JSON.stringify(release.keys) })
        .where('release_digest', '=', victim.digestHex),
    );
    const before = (await admin.audit(broker.url)).at(-1)?.seq ?? 0;
    expect(refusalOf(await requestKey(broker.url, { world, enclave, release: victim }))).toBe(
      'BROKER_WRAPPED_KEY_UNUSABLE',
    );
    const entries = await admin.audit(broker.url, before);
    expect(entries.map(({ kind }) => kind)).toEqual(['key-released', 'key-withheld', 'refused']);
    const leaseId = entries[0]?.facts['leaseId'];
    expect(entries[1]?.facts).toMatchObject({ leaseId, code: 'BROKER_WRAPPED_KEY_UNUSABLE' });
    expect(refusalOf(await requestKey(broker.url, { world, enclave, release: victim, leaseId: String(leaseId) }))).toBe(
      'BROKER_LEASE_UNKNOWN',
    );
  });
});

describe('what was revoked', () => {
  it('is refused from then on: a release, also one that has expired as well', async () => {
    const doomed = await admin.registered(
      broker.url,
      await world.release({ modelId: 'doomed' }, { modelId: 'doomed' }),
    );
    const answer = await admin.revoke(broker.url, 'release', doomed.digestHex.toUpperCase());
    expect(answer).toMatchObject({ status: 200, body: { kind: 'release', value: doomed.digestHex, runningLeases: 0 } });
    await expectRefusal('BROKER_RELEASE_REVOKED', asking({ release: doomed }));
    world.clock.now = new Date('2026-12-30T00:00:00Z');
    await expectRefusal('BROKER_RELEASE_REVOKED', asking({ release: doomed }));
    world.clock.now = dawn;
    expect(refusalOf(await admin.register(broker.url, doomed))).toBe('BROKER_RELEASE_REVOKED');
  });
  it('a measurement', async () => {
    const value = 'cd'.repeat(48);
    const measurements = [{ tee: 'sev-snp' as const, simulated: false, value }];
    const other = await admin.registered(
      broker.url,
      await world.release({ modelId: 'measured', measurements }, { modelId: 'measured' }),
    );
    const report = { measurement: fromHex(value) };
    granted(await requestKey(broker.url, { world, enclave, release: other, report }));
    expect((await admin.revoke(broker.url, 'measurement', value)).body).toMatchObject({
      runningLeases: 1,
      effectiveBy: later(600).toISOString(),
    });
    await expectRefusal('BROKER_MEASUREMENT_REVOKED', asking({ release: other, report }), { measurement: value });
  });
  it('a platform', async () => {
    const chain = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now: dawn });
    granted(await requestKey(broker.url, { world, enclave, release, chain }));
    await admin.revoke(broker.url, 'platform', Buffer.from(chain.hwid).toString('hex'));
    await expectRefusal('BROKER_PLATFORM_REVOKED', asking({ chain }), {
      platform: `chip-id:${Buffer.from(chain.hwid).toString('hex')}`,
    });
    granted(await requestKey(broker.url, { world, enclave, release }));
  });
});

describe('bodies', () => {
  const url = (): string => `${broker.url}/v1/key-releases`;
  it('that do not follow the schema', async () => {
    const { nonce } = await challenge(broker.url);
    const request = await attest({ world, enclave, release, nonce });
    const bodies: unknown[] = [
      null,
      [],
      'text',
      {},
      { ...request, extra: 1 },
      { ...request, nonce: 'short' },
      { ...request, evidence: 'x' },
    ];
    for (const json of bodies)
      await expectRefusal('BROKER_REQUEST_INVALID', () => call(url(), { method: 'POST', json }));
    // None of them spent the nonce.
    granted(await call(url(), { method: 'POST', json: request }));
  });
  it('that are not JSON, not UTF-8, too large or of another type', async () => {
    const post =
      (body: string | Uint8Array<ArrayBuffer>, type = 'application/json') =>
      () =>
        call(url(), { method: 'POST', body, headers: { 'content-type': type } });
    await expectRefusal('BROKER_REQUEST_INVALID', post('{'));
    await expectRefusal('BROKER_REQUEST_INVALID', post(Uint8Array.of(0x22, 0xff, 0x22)));
    await expectRefusal('BROKER_MEDIA_TYPE', post('{}', 'text/plain'));
    await expectRefusal('BROKER_BODY_LIMIT', post(' '.repeat((1 << 20) + 1)));
  });
  it('whose base64url has bits to spare', async () => {
    await expectRefusal('BROKER_REQUEST_INVALID', asking({ request: { enclaveNonce: `${'A'.repeat(42)}B` } }));
    expect(fromBase64Url('A'.repeat(43))).toHaveLength(32);
  });
});

describe('a policy without a simulated root', () => {
  it('refuses simulated evidence whatever the release lists', async () => {
    const { simulated: _, ...attestation } = world.policy.attestation;
    const strict = await world.start({ policy: { ...world.policy, attestation } });
    await admin.registered(strict.url, release);
    expect(refusalOf(await requestKey(strict.url, { world, enclave, release, simulated: true }))).toBe(
      'SIMULATED_EVIDENCE_REFUSED',
    );
    granted(await requestKey(strict.url, { world, enclave, release }));
    await strict.close();
  });
});

describe('a policy with measurements and models of its own', () => {
  it('narrows what the release lists', async () => {
    const { attestation } = world.policy;
    const { snp } = attestation;
    if (snp === undefined) throw new Error('no policy for SEV-SNP');
    const narrow = { ...attestation, snp: { ...snp, measurements: [simulatedMeasurement] } };
    const strict = await world.start({ policy: { ...world.policy, attestation: narrow } });
    await admin.registered(strict.url, release);
    expect(refusalOf(await requestKey(strict.url, { world, enclave, release }))).toBe('BROKER_TEE_NOT_IN_RELEASE');
    granted(await requestKey(strict.url, { world, enclave, release, simulated: true }));
    await strict.close();
  });
  it('lets only the named models in, from their lowest version on', async () => {
    const strict = await world.start({
      policy: { ...world.policy, models: { tiny: { minimumVersion: 2 }, other: {} } },
    });
    expect(refusalOf(await admin.register(strict.url, release))).toBe('BROKER_MODEL_NOT_ALLOWED');
    expect(
      refusalOf(await admin.register(strict.url, await world.release({ modelId: 'third' }, { modelId: 'third' }))),
    ).toBe('BROKER_MODEL_NOT_ALLOWED');
    await admin.registered(strict.url, await world.release({ version: 2 }));
    await strict.close();
  });
});
