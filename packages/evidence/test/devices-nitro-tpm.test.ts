import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceEvidenceDigestOf, parseAttestationPolicy, reportDataFor, verifyEvidence } from '@fastness/attest';
import { concatBytes, toHex } from '@fastness/codec';
import { decodeCbor, encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { forgedPcrs, forgeNitroChain, forgeNitroDocument, swtpmInstalled } from '@fastness/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nitroAnchors } from '../../attest/test/support/nitro-forge.ts';
import { collectSession, nitroTpmRuntimeRegister, openNitroTpm, RUNTIME_PCR, type Collector } from '../src/index.ts';
import { getRandom } from '../src/tpm/index.ts';
import { startFakeNitroTpm, type FakeNitroTpm } from './support/fake-nitro-tpm.ts';
import { codeOf, startTestTpm } from './support/tpm.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const SHA384 = 0x0c;
const INDEX = 0x018f_a590;
const now = new Date();
const events = ['configuration', 'release'].map((kind, index) => ({
  kind: kind === 'release' ? ('release' as const) : ('configuration' as const),
  digest: new Uint8Array(32).fill(index),
}));

let folder: string;
let fake: FakeNitroTpm;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fastness-nitro-tpm-'));
  fake = await startFakeNitroTpm(join(folder, 'nitro.sock'));
});
afterEach(async () => {
  await fake.stop();
  rmSync(folder, { recursive: true });
});
const opened = async (): Promise<Collector> => (await openNitroTpm({ path: fake.path })) ?? expect.fail('no NitroTPM');
const answered = (document: CborValue): Uint8Array =>
  encodeCbor(new Map([['Attestation', new Map([['document', document]])]]));
/** The fields of a request: what stands at the beginning of the index. */
const asked = (request: Uint8Array): CborMap => {
  const value = decodeCbor(request, { keyOrder: 'any', rest: 'ignored' });
  const fields = value instanceof Map ? value.get('Attestation') : undefined;
  return fields instanceof Map ? fields : expect.fail('another request');
};

describe('documents of a NitroTPM', () => {
  it('are accepted by the verifier, bound to the session, with what was measured at run time', async () => {
    const session = {
      purpose: 'client' as const,
      nonce: new Uint8Array(randomBytes(32)),
      keyConfigDigest: new Uint8Array(32).fill(1),
      releaseDigest: new Uint8Array(32).fill(2),
    };
    const chain = await forgeNitroChain({ now, moduleId: 'i-0123456789abcdef0-tpm0000000000000000' });
    const pcrs = forgedPcrs(24);
    fake.module = async (request) => {
      const fields = asked(request);
      expect([fields.get('nonce'), fields.get('public_key'), fields.size]).toEqual([null, null, 3]);
      const registers = new Map([...pcrs, [RUNTIME_PCR, fake.registers.get(SHA384) ?? new Uint8Array(0)]]);
      const userData = fields.get('user_data') as Uint8Array;
      return answered(await forgeNitroDocument({ chain, kind: 'nitrotpm', timestamp: now, userData, pcrs: registers }));
    };
    const collector = await opened();
    for (const event of events) await collector.extend?.(event);
    // Several at once: there is one index, and one program at a time has the TPM.
    const [{ evidence }] = await Promise.all([
      collectSession({ cpu: collector }, session),
      collector.collect(new Uint8Array(64)),
    ]);
    expect(fake.indices.size).toBe(0);
    const verify = (registers: readonly string[]) =>
      verifyEvidence({
        evidence,
        endorsements: [],
        policy: parseAttestationPolicy({
          version: 1,
          id: 'nitro-tpm',
          nitroTpm: { measurements: [toHex(pcrs.get(4) ?? new Uint8Array())], pcrs: { [RUNTIME_PCR]: registers } },
          waivers: [],
        }),
        anchors: nitroAnchors(chain),
        session,
        now,
      });
    const deviceEvidenceDigest = await deviceEvidenceDigestOf(new Map());
    const { claims } = await verify([nitroTpmRuntimeRegister(events)]);
    expect(claims).toMatchObject({
      tee: 'aws-nitrotpm',
      simulated: false,
      reportData: toHex(await reportDataFor('aws-nitrotpm', { ...session, deviceEvidenceDigest })),
    });
    expect(await codeOf(verify([nitroTpmRuntimeRegister(events.slice(1))]))).toBe('NITRO_PCR_NOT_ALLOWED');
  });

  it('are refused where the module or the TPM refuses, or answers something else; the index is gone each time', async () => {
    const chain = await forgeNitroChain({ now, moduleId: 'i-0123456789abcdef0-tpm0000000000000000' });
    const reportData = new Uint8Array(64).fill(7);
    const document = (userData: Uint8Array, kind: 'nitrotpm' | 'enclave' = 'nitrotpm') =>
      forgeNitroDocument({ chain, kind, timestamp: now, userData });
    const collector = await opened();
    const genuine = await document(reportData);
    fake.module = async () => answered(genuine);
    expect((await collector.collect(reportData)).evidence.value).toEqual(genuine);
    const cases: readonly (readonly [string, Uint8Array | number])[] = [
      ['TPM_DEVICE_UNSUPPORTED', 0x143],
      ['TPM_DEVICE_REFUSED', 0x101 | 0x80],
      ['EVIDENCE_REFUSED', encodeCbor(new Map([['Error', 'InvalidArgument']]))],
      ['EVIDENCE_RESPONSE', encodeCbor('Attestation')],
      ['EVIDENCE_RESPONSE', encodeCbor(new Map([['DescribePCR', new Map()]]))],
      ['EVIDENCE_RESPONSE', encodeCbor(new Map([['Attestation', new Map()]]))],
      ['EVIDENCE_RESPONSE', answered(new Uint8Array(0))],
      ['EVIDENCE_RESPONSE', answered(new Uint8Array(9))],
      ['EVIDENCE_RESPONSE', answered(await document(reportData, 'enclave'))],
      // Longer than the index has room for.
      ['EVIDENCE_RESPONSE', concatBytes(answered(new Uint8Array(9000)).subarray(0, 8192))],
      // Who else may use the TPM wrote to the index before AWS's command: a genuine document, over data of theirs.
      ['EVIDENCE_RESPONSE', answered(await document(new Uint8Array(64)))],
    ];
    for (const [code, answer] of cases) {
      fake.module = async () => answer;
      expect([code, await codeOf(collector.collect(reportData))]).toEqual([code, code]);
      expect(fake.indices.size).toBe(0);
    }
    expect(await codeOf((async () => collector.collect(new Uint8Array(32)))())).toBe('EVIDENCE_REPORT_DATA');
  });

  it("take the place of what a killed program left in the index, never of what is another's", async () => {
    const reportData = new Uint8Array(64).fill(7);
    const chain = await forgeNitroChain({ now, moduleId: 'i-0123456789abcdef0-tpm0000000000000000' });
    const genuine = await forgeNitroDocument({ chain, kind: 'nitrotpm', timestamp: now, userData: reportData });
    fake.module = async () => answered(genuine);
    const collector = await opened();
    const [read, write, written] = [1 << 18, 1 << 2, 1 << 29];
    fake.indices.set(INDEX, { attributes: read | write | written, content: new Uint8Array(8192) });
    expect((await collector.collect(reportData)).evidence.value).toEqual(genuine);
    for (const [attributes, size] of [
      [read | write | written, 64],
      [read | write | written | (1 << 17), 8192],
    ] as const) {
      fake.indices.set(INDEX, { attributes, content: new Uint8Array(size) });
      expect(await codeOf(collector.collect(reportData))).toBe('TPM_DEVICE_NV_DEFINED');
      expect(fake.indices.get(INDEX)?.content.length).toBe(size);
    }
  });

  it('are not measured for where something else extends the register', async () => {
    const collector = await opened();
    fake.before = { code: 0x182, work: () => void fake.registers.set(SHA384, new Uint8Array(48).fill(1)) };
    expect(await codeOf(Promise.resolve(collector.extend?.(events[0] ?? expect.fail('no event'))))).toBe(
      'EVIDENCE_RESPONSE',
    );
  });

  it('are none of a TPM of another maker', async () => {
    fake.vendor = 'NitroTPX';
    expect(await openNitroTpm({ path: fake.path })).toBeUndefined();
  });

  it.skipIf(!swtpmInstalled)('are none of swtpm', async () => {
    const world = await startTestTpm();
    try {
      // Answered: the connection is no longer in the queue of connections, in which there is room for one.
      await getRandom(world.tpm, 1);
      await world.tpm.close();
      expect(await openNitroTpm({ path: world.emulator.socketPath })).toBeUndefined();
    } finally {
      await world.end();
    }
  });
});
