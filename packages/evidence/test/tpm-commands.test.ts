import { createHash, randomBytes } from 'node:crypto';
import { concatBytes, toHex } from '@fastness/codec';
import { parseAttestationPolicy, verifyEvidence } from '@fastness/attest';
import { attestationKeyOf, encodeTpmEvidence } from '@fastness/attest/formats/tpm';
import { swtpmInstalled } from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  attestationKeyTemplate,
  comparisons,
  create,
  createPrimary,
  evictControl,
  flushContext,
  getProperty,
  getRandom,
  handles,
  listHandles,
  load,
  nvAttributes,
  nvCertifiedRead,
  nvDefineSpace,
  nvExtend,
  nvIncrement,
  nvName,
  nvRead,
  nvReadCounter,
  nvReadPublic,
  nvUndefineSpace,
  nvWrite,
  pcrExtend,
  pcrRead,
  policyDigest,
  policyNv,
  policyPcr,
  properties,
  quote,
  readPublic,
  rsaAttestationKeyTemplate,
  sealedDataTemplate,
  selfTest,
  startPolicySession,
  startup,
  storageKeyTemplate,
  unseal,
  withObject,
} from '../src/tpm/index.ts';
import { codeOf, startTestTpm, type TestTpm } from './support/tpm.ts';

const { authRead, authWrite, ownerRead, noDictionaryAttack, counter, extend, written } = nvAttributes;
const access = authRead | authWrite | ownerRead | noDictionaryAttack;

// A real TPM 2.0 emulator; where Debian's swtpm is not installed, nothing here runs.
describe.skipIf(!swtpmInstalled)('commands on swtpm', () => {
  let world: TestTpm;
  beforeAll(async () => {
    world = await startTestTpm();
  });
  afterAll(() => world.end());

  it('starts, tests itself, tells its maker and gives random bytes', async () => {
    const { tpm } = world;
    expect(await startup(tpm)).toBe('already');
    await selfTest(tpm);
    expect(await getProperty(tpm, properties.manufacturer)).toBe(0x49424d00); // "IBM", whose code swtpm runs
    const random = await getRandom(tpm, 100);
    expect(random).toHaveLength(100);
    expect(toHex(await getRandom(tpm, 100))).not.toBe(toHex(random));
    expect(await codeOf(getRandom(tpm, 0))).toBe('TPM_DEVICE_ARGUMENT');
  });

  it('answers commands in the order in which they were called for', async () => {
    const lengths = await Promise.all([1, 2, 3, 4, 5].map(async (count) => (await getRandom(world.tpm, count)).length));
    expect(lengths).toEqual([1, 2, 3, 4, 5]);
  });

  it('counts in an index that never falls, not even when it is defined again', async () => {
    const { tpm } = world;
    const index = 0x0150_0001;
    await nvDefineSpace(tpm, { index, attributes: access | counter, size: 8 });
    expect(await codeOf(nvDefineSpace(tpm, { index, attributes: access | counter, size: 8 }))).toBe(
      'TPM_DEVICE_NV_DEFINED',
    );
    expect(await codeOf(nvReadCounter(tpm, { index }))).toBe('TPM_DEVICE_NV_UNWRITTEN');
    await nvIncrement(tpm, { index });
    const first = await nvReadCounter(tpm, { index });
    for (let step = 1n; step <= 5n; step += 1n) {
      await nvIncrement(tpm, { index });
      expect(await nvReadCounter(tpm, { index })).toBe(first + step);
    }
    expect(await codeOf(nvWrite(tpm, { index, data: new Uint8Array(8) }))).toBe('TPM_DEVICE_NV_ACCESS');
    const before = await nvReadPublic(tpm, index);
    expect(before.attributes).toBe(access | counter | written);
    expect(toHex(before.name)).toBe(
      toHex(nvName({ index, attributes: access | counter | written, policy: new Uint8Array(0), size: 8 })),
    );
    await nvUndefineSpace(tpm, { index });
    expect(await codeOf(nvReadPublic(tpm, index))).toBe('TPM_DEVICE_HANDLE');
    await nvDefineSpace(tpm, { index, attributes: access | counter, size: 8 });
    await nvIncrement(tpm, { index });
    expect(await nvReadCounter(tpm, { index })).toBe(first + 6n);
    expect(await listHandles(tpm, 0x0100_0000)).toContain(index);
    await nvUndefineSpace(tpm, { index });
  });

  it('keeps ordinary and extended indexes behind their password', async () => {
    const { tpm } = world;
    const password = randomBytes(16);
    const auth = { kind: 'password', value: password } as const;
    const index = 0x0150_0002;
    await nvDefineSpace(tpm, { index, attributes: access, size: 40, password });
    await nvWrite(tpm, { index, auth, data: randomBytes(40) });
    const data = randomBytes(8);
    await nvWrite(tpm, { index, auth, data, offset: 16 });
    expect(toHex(await nvRead(tpm, { index, auth, size: 8, offset: 16 }))).toBe(toHex(data));
    expect(await codeOf(nvRead(tpm, { index, size: 8 }))).toBe('TPM_DEVICE_AUTH');
    expect(await codeOf(nvRead(tpm, { index, auth, size: 8, offset: 33 }))).toBe('TPM_DEVICE_NV_ACCESS');
    await nvUndefineSpace(tpm, { index });

    await nvDefineSpace(tpm, { index, attributes: access | extend, size: 32, password });
    await nvExtend(tpm, { index, auth, data });
    const expected = createHash('sha256')
      .update(concatBytes(new Uint8Array(32), data))
      .digest('hex');
    expect(toHex(await nvRead(tpm, { index, auth, size: 32 }))).toBe(expected);
    await nvUndefineSpace(tpm, { index });
  });

  it('certifies the content of an index under a key, a nonce and a name', async () => {
    const { tpm } = world;
    const index = 0x0150_0003;
    await nvDefineSpace(tpm, { index, attributes: access | counter, size: 8 });
    await nvIncrement(tpm, { index });
    const { name } = await nvReadPublic(tpm, index);
    const key = await createPrimary(tpm, { template: attestationKeyTemplate });
    await withObject(tpm, key, async () => {
      const publicKey = attestationKeyOf(key.publicArea);
      const options = { index, signer: key.handle, publicKey, name, nonce: randomBytes(32), size: 8 };
      expect(toHex(await nvCertifiedRead(tpm, options))).toBe(toHex(await nvRead(tpm, { index, size: 8 })));
      const otherName = name.slice();
      otherName[9] = (otherName[9] ?? 0) ^ 1;
      expect(await codeOf(nvCertifiedRead(tpm, { ...options, name: otherName }))).toBe('TPM_DEVICE_CERTIFY');
    });
    const other = await createPrimary(tpm, { template: attestationKeyTemplate, hierarchy: handles.endorsement });
    await withObject(tpm, other, async () => {
      const publicKey = attestationKeyOf(key.publicArea);
      const options = { index, signer: other.handle, publicKey, name, nonce: randomBytes(32), size: 8 };
      expect(await codeOf(nvCertifiedRead(tpm, options))).toBe('TPM_DEVICE_CERTIFY');
    });
    await nvUndefineSpace(tpm, { index });
  });

  it('keeps a key at a persistent handle, over a restart', async () => {
    const { tpm } = world;
    const key = await createPrimary(tpm, { template: attestationKeyTemplate });
    const persistent = 0x8101_0042;
    await evictControl(tpm, { object: key.handle, persistent });
    await flushContext(tpm, key.handle);
    const again = await world.restart();
    expect(toHex((await readPublic(again, persistent)).name)).toBe(toHex(key.name));
    const made = await createPrimary(again, { template: attestationKeyTemplate });
    expect(toHex(made.name)).toBe(toHex(key.name));
    await flushContext(again, made.handle);
    await evictControl(again, { object: persistent, persistent });
    expect(await codeOf(readPublic(again, persistent))).toBe('TPM_DEVICE_HANDLE');
  });

  it('seals data to registers and a counter, and unseals it only while both are as they were', async () => {
    const { tpm } = world;
    const index = 0x0150_0004;
    const selection = { bank: 'SHA-256', indexes: [14, 15] } as const;
    await nvDefineSpace(tpm, { index, attributes: access | counter, size: 8 });
    await nvIncrement(tpm, { index });
    const operand = await nvRead(tpm, { index, size: 8 });
    const assertAll = async (session: number): Promise<void> => {
      await policyPcr(tpm, { session, selection });
      await policyNv(tpm, { index, session, operand, comparison: comparisons.lessOrEqual });
    };
    const trial = await startPolicySession(tpm, 'trial');
    await assertAll(trial);
    const policy = await policyDigest(tpm, trial);
    await flushContext(tpm, trial);
    const secret = randomBytes(32);
    const parent = await createPrimary(tpm, { template: storageKeyTemplate });
    const blob = await create(tpm, { parent: parent.handle, template: sealedDataTemplate(policy), data: secret });
    const open = async (): Promise<Uint8Array> => {
      const object = await load(tpm, { ...blob, parent: parent.handle });
      return await withObject(tpm, object, async () => {
        const session = await startPolicySession(tpm, 'policy');
        return await withObject(tpm, { handle: session }, async () => {
          await assertAll(session);
          return await unseal(tpm, { handle: object.handle, auth: { kind: 'policy', session, keep: true } });
        });
      });
    };
    expect(toHex(await open())).toBe(toHex(secret));
    const object = await load(tpm, { ...blob, parent: parent.handle });
    expect(
      await codeOf(unseal(tpm, { handle: object.handle, auth: { kind: 'password', value: new Uint8Array(0) } })),
    ).not.toBe('done');
    await flushContext(tpm, object.handle);
    await nvIncrement(tpm, { index });
    expect(await codeOf(open())).toBe('TPM_DEVICE_POLICY');
    await flushContext(tpm, parent.handle);
    await nvUndefineSpace(tpm, { index });
  });

  it('quotes registers, and the verifier of quotes accepts exactly that', async () => {
    const { tpm } = world;
    const digest = createHash('sha256').update('a boot loader').digest();
    await pcrExtend(tpm, { index: 4, bank: 'SHA-256', digest });
    const indexes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14];
    const registers = await pcrRead(tpm, { bank: 'SHA-256', indexes });
    expect([...registers.keys()]).toEqual(indexes);
    expect(toHex(registers.get(4) ?? digest)).toBe(
      createHash('sha256')
        .update(concatBytes(new Uint8Array(32), digest))
        .digest('hex'),
    );
    for (const template of [attestationKeyTemplate, rsaAttestationKeyTemplate]) {
      const key = await createPrimary(tpm, { template });
      await withObject(tpm, key, async () => {
        const attestationKey = attestationKeyOf(key.publicArea);
        const nonce = randomBytes(32);
        const { attest, signature } = await quote(tpm, {
          key: key.handle,
          nonce,
          selection: { bank: 'SHA-256', indexes },
        });
        const policy = parseAttestationPolicy({
          version: 1,
          id: 'this-machine',
          tpm: {
            attestationKeys: [createHash('sha256').update(attestationKey).digest('hex')],
            measurements: [toHex(registers.get(4) ?? digest)],
            safeClock: 'any',
          },
          waivers: [],
        });
        const judge = async (pcrs: ReadonlyMap<number, Uint8Array>, expectedReportData: Uint8Array): Promise<string> =>
          await codeOf(
            verifyEvidence({
              evidence: encodeTpmEvidence({ attest, signature, pcrs: { 'SHA-256': pcrs }, attestationKey }),
              endorsements: [],
              policy,
              anchors: {},
              expectedReportData,
              now: new Date(),
            }),
          );
        expect(await judge(registers, nonce)).toBe('done');
        expect(await judge(registers, randomBytes(32))).toBe('TPM_NONCE_MISMATCH');
        expect(await judge(new Map([...registers, [4, digest]]), nonce)).toBe('TPM_PCR_DIGEST');
        attest[attest.length - 1] = (attest[attest.length - 1] ?? 0) ^ 1;
        expect(await judge(registers, nonce)).toBe('TPM_SIGNATURE');
      });
    }
  });

  it('leaves no object and no session behind', async () => {
    expect(await listHandles(world.tpm, 0x8000_0000)).toEqual([]);
    expect(await listHandles(world.tpm, 0x0300_0000)).toEqual([]);
  });
});
