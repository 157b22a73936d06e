import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAttestationPolicy, vendorAnchors, verifyEvidence, type AttestationVerdict } from '@fastness/attest';
import { forgeEventLog, swtpmInstalled } from '@fastness/testkit';
import { concatBytes, utf8Encode } from '@fastness/codec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectSession, encodeRuntimeEvent, openTpmCollector, RUNTIME_PCR, type TpmCollector } from '../src/index.ts';
import { extendableBanks, pcrExtend } from '../src/tpm/index.ts';
import { codeOf, startTestTpm, type TestTpm } from './support/tpm.ts';

const session = () => ({
  purpose: 'key-release' as const,
  nonce: new Uint8Array(randomBytes(32)),
  keyConfigDigest: new Uint8Array(32).fill(1),
  releaseDigest: new Uint8Array(32).fill(2),
});
const sha256 = (...parts: Uint8Array[]): string =>
  createHash('sha256')
    .update(concatBytes(...parts))
    .digest('hex');
const configuration = { kind: 'configuration' as const, digest: new Uint8Array(32).fill(7) };
const release = { kind: 'release' as const, digest: new Uint8Array(32).fill(8) };

// A real TPM 2.0 emulator; where Debian's swtpm is not installed, nothing here runs.
describe.skipIf(!swtpmInstalled)('evidence of a TPM', () => {
  let world: TestTpm;
  let collector: TpmCollector;
  let attestationKey: string;
  const booted = { pcr: 4, type: 0x8000_0003, data: utf8Encode('kernel') };

  beforeAll(async () => {
    world = await startTestTpm();
    // What a firmware would have done: its log, and the registers that it extended.
    const eventLogPath = join(world.directory, 'log');
    await writeFile(eventLogPath, await forgeEventLog([booted]));
    for (const bank of ['SHA-1', 'SHA-256', 'SHA-384'] as const) {
      const hash = createHash(bank.replace('-', '').toLowerCase()).update(booted.data).digest();
      expect(hash.length).toBe(extendableBanks[bank].bytes);
      await pcrExtend(world.tpm, { index: booted.pcr, bank, digest: new Uint8Array(hash) });
    }
    await world.tpm.close();
    collector = await openTpmCollector({ path: world.emulator.socketPath, eventLogPath });
    attestationKey = await collector.attestationKey();
  });
  afterAll(async () => {
    await collector.close();
    await world.end();
  });

  const policy = (section: object = {}) =>
    parseAttestationPolicy({
      version: 1,
      id: 'tpm',
      tpm: {
        attestationKeys: [attestationKey],
        measurements: [sha256(new Uint8Array(32), Buffer.from(sha256(booted.data), 'hex'))],
        eventLog: 'required',
        eventLogPcrs: [booted.pcr, RUNTIME_PCR],
        ...section,
      },
      waivers: [],
    });
  const verify = async (section?: object): Promise<AttestationVerdict> => {
    const asked = session();
    const { evidence, endorsements } = await collectSession({ cpu: collector }, asked);
    return await verifyEvidence({
      evidence,
      endorsements,
      policy: policy(section),
      anchors: vendorAnchors,
      session: asked,
      now: new Date(),
    });
  };

  it('is accepted with the registers, the log and what happened at run time, and refused without an event', async () => {
    await collector.extend?.(configuration);
    await collector.extend?.(release);
    const events = [configuration, release].map((event) => sha256(encodeRuntimeEvent(event)));
    const { claims } = await verify({ events: { [RUNTIME_PCR]: events } });
    expect(claims).toMatchObject({ tee: 'tpm', simulated: false, eventLog: { replayedPcrs: [4, RUNTIME_PCR] } });
    expect(await codeOf(verify({ events: { [RUNTIME_PCR]: events.slice(0, 1) } }))).toBe(
      'EVENT_LOG_EVENTS_NOT_ALLOWED',
    );
    expect(await codeOf(verify({ measurements: ['00'.repeat(32)] }))).toBe('TPM_MEASUREMENT_NOT_ALLOWED');
    expect(await codeOf(verify({ attestationKeys: ['00'.repeat(32)] }))).toBe('TPM_KEY_NOT_PINNED');
  });

  it('keeps its key, and answers several at once, each with its own nonce', async () => {
    expect(await collector.attestationKey()).toBe(attestationKey);
    const verdicts = await Promise.all([verify(), verify(), verify()]);
    expect(new Set(verdicts.map(({ claims }) => claims.reportData)).size).toBe(3);
  });

  it('takes 32 bytes and nothing else', async () => {
    expect(await codeOf((async () => await collector.collect(new Uint8Array(64)))())).toBe('EVIDENCE_REPORT_DATA');
  });

  it('refuses where the log cannot be read, and does without one where the machine keeps none', async () => {
    const path = world.emulator.socketPath;
    await collector.close();
    const blind = await openTpmCollector({ path, eventLogPath: join(world.directory, 'missing') });
    expect(await codeOf(blind.collect(new Uint8Array(32)))).toBe('EVIDENCE_UNREACHABLE');
    await blind.close();
    const logless = await openTpmCollector({ path, eventLogPath: undefined });
    const asked = session();
    const { evidence } = await collectSession({ cpu: logless }, asked);
    const verdict = await verifyEvidence({
      evidence,
      endorsements: [],
      policy: parseAttestationPolicy({
        version: 1,
        id: 'no-log',
        tpm: { attestationKeys: [attestationKey], measurements: policy().tpm?.measurements },
        waivers: [],
      }),
      anchors: vendorAnchors,
      session: asked,
      now: new Date(),
    });
    expect(verdict.claims.tee).toBe('tpm');
    await logless.close();
  });
});
