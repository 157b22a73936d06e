import { toHex } from '@fastness/codec';
import { forgedMeasurements, nvidiaFields, nvidiaText } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { trustworthinessOf, VerificationCache, verifyEvidence } from '../src/index.ts';
import {
  appraise,
  authenticate,
  authenticateRim,
  decodeNvidiaEndorsements,
  encodeNvidiaEndorsements,
  neededEndorsements,
  parse,
  requireDistinctDevices,
  type AuthenticReport,
  type ParsedReport,
} from '../src/formats/nvidia/index.ts';
import type { NvidiaGpuClaims, NvidiaSwitchClaims } from '../src/index.ts';
import { codeOf } from './support/errors.ts';
import {
  judgeNvidia,
  nonce,
  nvidiaAnchors,
  prepareNvidia,
  references,
  type NvidiaScenario,
} from './support/nvidia-forge.ts';
import { nvidiaWaivableChecks } from '../src/formats/nvidia/waivable.ts';
import { nvidiaTrustworthiness } from '../src/formats/nvidia/trustworthiness.ts';

describe('a forged GPU report', () => {
  it('is accepted without a waiver, and shows its facts', async () => {
    const verdict = await judgeNvidia();
    expect(verdict.waivers).toEqual([]);
    expect(verdict.claims).toMatchObject({
      tee: 'nvidia-gpu',
      simulated: false,
      vendor: 'NVIDIA',
      identity: { kind: 'nvidia-device-id', value: '410011223344556677' },
      chip: 'GH100',
      architecture: 'hopper',
      hardwareModel: 'GH100 A01 GSP BROM',
      driverVersion: '580.95.05',
      vbiosVersion: '96.00.5E.00.01',
      mode: 'spt',
      debug: false,
      settings: { confidentialComputing: true, developerTools: false },
      reportData: toHex(nonce),
      uncovered: [],
      references: [
        { role: 'driver', version: '580.95.05', measurements: 6 },
        { role: 'vbios', version: '96.00.5E.00.01', measurements: 12 },
      ],
    });
  });

  it.each<[string, NvidiaScenario]>([
    ['of a switch', { kind: 'nvswitch' }],
    ['of Blackwell, with its firmware identity in DiceTcbInfo', { chain: { chip: 'GB100' } }],
    ['of Blackwell, with the other form of it', { chain: { chip: 'GB100', fwidStyle: 'composite-device-id' } }],
    ['whose roots are the known certificates', { anchors: (chain, rims) => nvidiaAnchors(chain, rims, true) }],
    ['with one zero byte after it', { bytes: (bytes) => Uint8Array.from([...bytes, 0]) }],
    ['with documents for other devices beside its own', { rims: (rims) => [...rims, ...rims] }],
    ['with OCSP responses that carry the nonce of the session', { section: { ocspNonce: 'report-data' } }],
    ['with the issuers themselves as responders', { deviceOcsp: { delegated: false } }],
    [
      'with a responder named by its key, and other hashes',
      {
        deviceOcsp: {
          answers: { chip: { hash: 'SHA-384' }, line: { hash: 'SHA-256' } },
          responses: { chip: { responderId: 'key' } },
        },
      },
    ],
    [
      'of a driver that does not state a mode',
      {
        report: {
          fields: (fields) => [nvidiaFields.version, nvidiaFields.featureFlag].forEach((id) => fields.delete(id)),
        },
      },
    ],
    [
      'of a GPU without NVDEC0, whose measurement 35 differs',
      {
        report: { measurements: new Map([...forgedMeasurements(), [35, new Uint8Array(48).fill(0x77)] as const]) },
      },
    ],
    [
      'of a GPU with NVDEC0, whose measurement 35 fits',
      {
        report: { fields: (fields) => void fields.set(nvidiaFields.nvdec0Status, Uint8Array.of(0xaa)) },
      },
    ],
    [
      'in protected PCIe, where the policy allows it',
      {
        report: {
          fields: (fields) =>
            void fields
              .set(nvidiaFields.protectedPcieStatus, Uint8Array.of(0xaa))
              .set(nvidiaFields.featureFlag, Uint8Array.of(2, 0)),
        },
        settings: { confidentialComputing: false, developerTools: false },
        section: { modes: ['ppcie'] },
      },
    ],
    ['at the floor of the driver version', { section: { minimumDriverVersion: '580.95.05' } }],
    ['of a listed device', { section: { devices: { allow: ['410011223344556677'] } } }],
    ['of a listed firmware', { section: { vbiosVersions: { allow: ['96.00.5E.00.01'] } } }],
  ])('%s is accepted without a waiver', async (_, scenario) => {
    const { waivers, checks } = await judgeNvidia(scenario);
    expect(waivers).toEqual([]);
    expect(checks.some(({ outcome }) => outcome === 'waived')).toBe(false);
  });

  it('pins the set of measurements where a policy lists it', async () => {
    const { claims } = await judgeNvidia();
    const again = await judgeNvidia({ section: { measurements: [claims.measurement] } });
    expect(again.claims.measurement).toBe(claims.measurement);
  });

  it.each<[(typeof nvidiaWaivableChecks)[number], NvidiaScenario]>([
    ['NVIDIA_FWID_ABSENT', { report: { fields: (fields) => void fields.delete(nvidiaFields.fwid) } }],
    ['NVIDIA_RIM_MISSING', { rims: () => [] }],
    [
      'NVIDIA_RIM_VALIDITY',
      {
        rimChain: {
          levels: {
            signer: {
              validity: { notBefore: new Date('2024-01-01T00:00:00Z'), notAfter: new Date('2026-05-31T00:00:00Z') },
            },
          },
        },
      },
    ],
    ['NVIDIA_OCSP_MISSING', { ocsp: () => [] }],
    ['NVIDIA_OCSP_EXPIRED', { deviceOcsp: { answers: { chip: { nextUpdate: new Date('2026-06-01T11:59:30Z') } } } }],
    [
      'NVIDIA_CERTIFICATE_HOLD',
      { deviceOcsp: { answers: { chip: { status: { revoked: new Date('2026-05-01T00:00:00Z'), reason: 6 } } } } },
    ],
    ['NVIDIA_SETTINGS_ABSENT', { settings: null }],
    ['NVIDIA_DEVTOOLS', { settings: { confidentialComputing: true, developerTools: true } }],
    ['NVIDIA_MEASUREMENT_UNCOVERED', { driverRim: { measurements: references([7, 21, 22, 25, 35]) } }],
  ])('is accepted under the waiver %s alone, which is reported and counts', async (check, scenario) => {
    expect(await codeOf(judgeNvidia(scenario))).toBe(check);
    const verdict = await judgeNvidia({ ...scenario, waive: [check] });
    expect(new Set(verdict.waivers.map((waiver) => waiver.check))).toEqual(new Set([check]));
    const vector = trustworthinessOf(verdict);
    expect(Object.values(vector).some((value) => value >= 32)).toBe(true);
    expect(verdict.claims.debug).toBe(check === 'NVIDIA_DEVTOOLS');
  });

  it('has an effect for every waiver, and none is tested twice', () => {
    expect(Object.keys(nvidiaTrustworthiness.waiverEffects).toSorted()).toEqual([...nvidiaWaivableChecks].toSorted());
  });

  it('is a warning at best in protected PCIe, and affirming otherwise', async () => {
    const plain = trustworthinessOf(await judgeNvidia());
    expect(plain).toEqual({
      'instance-identity': 2,
      configuration: 2,
      executables: 3,
      hardware: 2,
      'runtime-opaque': 2,
    });
    const older = await judgeNvidia({
      report: {
        fields: (fields) => {
          fields.set(nvidiaFields.protectedPcieStatus, Uint8Array.of(0xaa));
          fields.delete(nvidiaFields.version);
          fields.delete(nvidiaFields.featureFlag);
        },
      },
      section: { modes: ['ppcie'] },
    });
    expect(older.claims).toMatchObject({ mode: 'ppcie' });
    expect(trustworthinessOf(older)['runtime-opaque']).toBe(32);
    const { claims, waivers } = await judgeNvidia({ kind: 'nvswitch' });
    expect(trustworthinessOf({ claims, waivers })).not.toHaveProperty('runtime-opaque');
    expect(claims).toMatchObject({ pdi: '203eb31ad9ed0008', gpus: ['0707070707070707'] });
  });
});

describe('the stages', () => {
  it('take nothing but what the stage before made', async () => {
    const { evidence, endorsements, policy, anchors, expectedReportData, now } = await prepareNvidia();
    const parsed = parse(evidence, endorsements);
    const authentic = await authenticate(parsed, { policy, anchors, now });
    expect(appraise(authentic, { policy, expectedReportData }).waivers).toEqual([]);
    // @ts-expect-error a parsed report is not an authentic one
    expect(await codeOf(() => appraise(parsed, { policy, expectedReportData }))).toBe('ATTEST_STAGE_SKIPPED');
    const copied = Object.assign(Object.create(null), parsed) as ParsedReport;
    expect(await codeOf(authenticate(copied, { policy, anchors, now }))).toBe('ATTEST_STAGE_SKIPPED');
    const faked = Object.assign(Object.create(null), authentic) as AuthenticReport;
    expect(await codeOf(() => appraise(faked, { policy, expectedReportData }))).toBe('ATTEST_STAGE_SKIPPED');
    for (const length of [0, 31, 33, 64]) {
      const attempt = () => appraise(authentic, { policy, expectedReportData: new Uint8Array(length) });
      expect(await codeOf(attempt)).toBe('ATTEST_ARGUMENT_INVALID');
    }
  });

  it('read so many endorsements and no more', async () => {
    const { evidence, endorsements } = await prepareNvidia();
    const [given] = endorsements;
    if (given === undefined) throw new TypeError('No endorsements.');
    const { rims } = decodeNvidiaEndorsements(given);
    const half = encodeNvidiaEndorsements({ rims: Array.from({ length: 32 }, () => rims[0] ?? new Uint8Array()) });
    expect(parse(evidence, [half, half]).rims).toHaveLength(64);
    expect(await codeOf(() => parse(evidence, [half, half, given]))).toBe('ATTEST_ENDORSEMENT_MALFORMED');
    expect(
      await codeOf(() =>
        parse(
          evidence,
          Array.from({ length: 33 }, () => given),
        ),
      ),
    ).toBe('ATTEST_ENDORSEMENT_MALFORMED');
  });

  it('say what to fetch', async () => {
    const { evidence, endorsements } = await prepareNvidia();
    const [{ rims }] = [{ rims: parse(evidence, endorsements).rims }];
    expect(rims.map(({ version }) => version)).toEqual(['580.95.05', '96.00.5E.00.01']);
    const needed = neededEndorsements(evidence);
    expect(needed.rims.map(({ id }) => id)).toEqual([
      'NV_GPU_DRIVER_GH100_580.95.05',
      'NV_GPU_VBIOS_1010_0200_882_96005E0001',
    ]);
    expect(needed.certificates.map(({ certificate }) => certificate.subject.commonName)).toEqual([
      'GH100 A01 GSP BROM',
      'NVIDIA GH100 Provisioner ICA 1',
      'NVIDIA GH100 Identity',
    ]);
    const blackwell = await prepareNvidia({
      chain: { chip: 'GB202' },
      report: { fields: (fields) => void fields.set(nvidiaFields.chipInfo, nvidiaText('GB20X')) },
    });
    expect(neededEndorsements(blackwell.evidence).rims[0]?.id).toBe('NV_GPU_CC_DRIVER_GB20X_580.95.05');
    const ls10 = await prepareNvidia({ kind: 'nvswitch' });
    expect(neededEndorsements(ls10.evidence).rims.map(({ id }) => id)).toEqual([
      'NV_SWITCH_BIOS_5612_0002_890_9610550001',
    ]);
  });

  it('verify no signature twice', async () => {
    const options = await prepareNvidia();
    const seen: string[] = [];
    const { webCryptoVerifier } = await import('@fastness/codec/x509');
    await verifyEvidence({
      ...options,
      signatures: async (check) => {
        seen.push(`${toHex(check.holder.spki)} ${toHex(check.signature)}`);
        return webCryptoVerifier(check);
      },
    });
    expect(new Set(seen).size).toBe(seen.length);
    const cache = new VerificationCache();
    await verifyEvidence({ ...options, cache });
    let count = 0;
    await verifyEvidence({
      ...options,
      cache,
      signatures: async (check) => {
        count += 1;
        return webCryptoVerifier(check);
      },
    });
    expect(count).toBeLessThan(seen.length);
  });
});

describe('several devices', () => {
  it('must be distinct chips', async () => {
    const claims = async (scenario: NvidiaScenario) => {
      const verdict = await judgeNvidia(scenario);
      if (verdict.claims.tee !== 'nvidia-gpu' && verdict.claims.tee !== 'nvidia-nvswitch') throw new TypeError();
      return verdict.claims satisfies NvidiaGpuClaims | NvidiaSwitchClaims;
    };
    const [one, other, firmware, nvswitch] = await Promise.all([
      claims({}),
      claims({ chain: { chipSerial: 0x42n, leafSerial: 0x43n } }),
      claims({ chain: { leafSerial: 0x44n } }),
      claims({ kind: 'nvswitch', chain: { chipSerial: 0x45n, leafSerial: 0x46n } }),
    ]);
    requireDistinctDevices([]);
    requireDistinctDevices([one, other, nvswitch]);
    expect(await codeOf(() => requireDistinctDevices([one, other, one]))).toBe('NVIDIA_DEVICE_REPEATED');
    // The same chip under another firmware has another leaf.
    expect(await codeOf(() => requireDistinctDevices([one, firmware]))).toBe('NVIDIA_DEVICE_REPEATED');
  });
});

describe('documents', () => {
  it('can be authenticated by themselves', async () => {
    const { evidence, endorsements, anchors, now } = await prepareNvidia();
    const [document] = parse(evidence, endorsements).rims;
    if (document === undefined) throw new TypeError('No document.');
    const checks = await authenticateRim(document, { anchors: anchors.nvidiaRims ?? [], now });
    expect(checks.map(({ code }) => code)).toContain('NVIDIA_RIM_SIGNATURE');
    expect(await codeOf(authenticateRim(document, { anchors: [], now }))).toBe('NVIDIA_RIM_ROOT_NOT_PINNED');
  });
});
