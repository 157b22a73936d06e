import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@fastness/codec';
import { parseCertificate } from '@fastness/codec/x509';
import { afterAll, describe, expect, it } from 'vitest';
import {
  nvidiaAnchors,
  nvidiaDeviceRoots,
  nvidiaRimRoots,
  vendorAnchors,
  verifyEvidence,
  type AttestationVerdict,
} from '../src/index.ts';
import {
  authenticateRim,
  encodeNvidiaEvidence,
  neededEndorsements,
  readRim,
  requireDistinctDevices,
} from '../src/formats/nvidia/index.ts';
import { codeOf } from './support/errors.ts';
import {
  multiSwitch,
  nvidiaCases,
  nvidiaTokenRows,
  nvidiaOptions,
  nvtrust,
  rimCases,
  vbiosRim,
  type NvidiaCase,
} from './support/nvidia-cases.ts';
import { evidenceRoot, readTable, readVector, vectorsPresent } from './support/vectors.ts';

const counts = new Map<string, number>();
const count = (verdict: string): void => void counts.set(verdict, (counts.get(verdict) ?? 0) + 1);

const judge = async (one: NvidiaCase, change: Partial<NvidiaCase> = {}): Promise<AttestationVerdict> =>
  verifyEvidence(nvidiaOptions({ ...one, ...change }));

const accepted = nvidiaCases.filter(({ verdict }) => verdict === 'accept');

describe.skipIf(!vectorsPresent)('recorded NVIDIA reports', () => {
  afterAll(() => {
    const lines = [...counts].map(([verdict, times]) => `${verdict} ${times}`);
    process.stdout.write(`recorded NVIDIA reports: ${nvidiaCases.length} cases; verdicts: ${lines.join(', ')}\n`);
  });

  it('cover every NVIDIA row of the index', () => {
    const rows = readTable('INDEX.tsv').filter((row) => row['tee'] === 'nvidia');
    const first = rows.map((row) => row['files (under vectors/)']?.split(' ; ')[0] ?? '');
    expect(first.length).toBeGreaterThan(10);
    const covered = new Set([
      ...nvidiaCases.flatMap(({ row, rims }) => [row, ...rims]),
      ...rimCases.map(({ file }) => file),
      ...nvidiaTokenRows,
    ]);
    expect(first.filter((file) => !covered.has(file))).toEqual([]);
  });

  it.each(nvidiaCases)('get the verdict of the index: $name', async (one) => {
    const { verdict, claims } = one;
    count(verdict);
    if (verdict !== 'accept') {
      expect(await codeOf(judge(one))).toBe(verdict);
      return;
    }
    const result = await judge(one);
    expect(result.claims).toMatchObject({ tee: one.tee, vendor: 'NVIDIA', debug: false, ...claims });
    expect(new Set(result.waivers.map(({ check }) => check))).toEqual(new Set(one.waived));
  });

  it.each(accepted)('are refused without each of the waivers: $name', async (one) => {
    for (const check of one.waived) {
      expect(await codeOf(judge(one, { waived: one.waived.filter((other) => other !== check) }))).toBe(check);
    }
  });

  it.each(accepted)('are refused outside the life of their certificates: $name', async (one) => {
    expect(await codeOf(judge(one, { at: '2019-01-01T00:00:00Z' }))).toBe('NVIDIA_CERTIFICATE_VALIDITY');
  });

  it('name the documents as NVIDIA does', () => {
    const [hopper] = nvidiaCases;
    const nvswitch = nvidiaCases.find(({ tee }) => tee === 'nvidia-nvswitch');
    const ids = (one: NvidiaCase | undefined) => {
      if (one === undefined) throw new TypeError('No case.');
      const { tee } = one;
      return neededEndorsements(
        encodeNvidiaEvidence({ report: one.report(), certificates: one.certificates(), tee }),
      ).rims.map(({ id }) => id);
    };
    expect(ids(hopper)).toEqual(['NV_GPU_DRIVER_GH100_535.86.09', 'NV_GPU_VBIOS_1010_0200_882_96005E0001']);
    expect(ids(nvswitch)).toEqual(['NV_SWITCH_BIOS_5612_0002_890_9610550001']);
  });

  it('of four switches that are one are refused together, though each is accepted', async () => {
    const verdicts = await Promise.all(
      nvidiaCases.filter(({ row }) => row === multiSwitch).map(async (one) => judge(one)),
    );
    const claims = verdicts.map((verdict) => {
      if (verdict.claims.tee !== 'nvidia-nvswitch') throw new TypeError('Not a switch.');
      return verdict.claims;
    });
    expect(claims).toHaveLength(4);
    expect(await codeOf(() => requireDistinctDevices(claims))).toBe('NVIDIA_DEVICE_REPEATED');
  });
});

describe.skipIf(!vectorsPresent)('recorded reference documents', () => {
  const files = vectorsPresent
    ? readdirSync(join(evidenceRoot, nvtrust)).filter((name) => name.endsWith('.swidtag'))
    : [];
  const judgeRim = async (file: string, at: string) =>
    authenticateRim(readRim(readVector(file)), { anchors: nvidiaRimRoots, now: new Date(at) });

  it('are all there', () => {
    expect(files.length).toBeGreaterThanOrEqual(25);
  });

  it.each(files)('are signed by NVIDIA, and all expired: %s', async (name) => {
    const file = `${nvtrust}/${name}`;
    const checks = await judgeRim(file, '2025-01-01T12:00:00Z');
    expect(checks.some(({ code }) => code === 'NVIDIA_RIM_SIGNATURE')).toBe(true);
    expect(await codeOf(judgeRim(file, '2026-11-23T12:00:00Z'))).toBe('NVIDIA_RIM_VALIDITY');
  });

  it.each(rimCases)('get the verdict of the index: $name', async ({ file, at, verdict }) => {
    expect(await codeOf(judgeRim(file, at))).toBe(verdict === 'accept' ? 'accepted' : verdict);
  });

  it('list measurements by the index that the report has as block i + 1', () => {
    const { measurements, product, version, edition } = readRim(readVector(vbiosRim));
    expect({ product, version, edition }).toEqual({ product: 'GH100', version: '96.00.5E.00.01', edition: 'GPU' });
    expect([...measurements.keys()]).toEqual([0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]);
    expect(measurements.get(12)).toHaveLength(4);
  });
});

describe('the pinned NVIDIA roots', () => {
  it('are among the anchors of every vendor, frozen', () => {
    expect(vendorAnchors.nvidiaDevices).toBe(nvidiaDeviceRoots);
    expect(vendorAnchors.nvidiaRims).toBe(nvidiaRimRoots);
    expect([nvidiaAnchors, nvidiaDeviceRoots, nvidiaRimRoots].every((each) => Object.isFrozen(each))).toBe(true);
    expect([...nvidiaDeviceRoots, ...nvidiaRimRoots].every((root) => Object.isFrozen(root))).toBe(true);
  });

  it.skipIf(!vectorsPresent).each([...nvidiaDeviceRoots, ...nvidiaRimRoots])(
    '$name has the recorded fingerprints',
    async (root) => {
      const row = readTable('ROOTS.tsv').find((candidate) => candidate['subject_cn'] === root.name);
      expect(row).toMatchObject({ issuer: 'self', cert_sha256: root.certificateSha256, spki_sha256: root.spkiSha256 });
      const recorded = nvidiaCases.map(({ certificates }) => certificates().at(-1) ?? new Uint8Array());
      const documents = readRim(readVector(vbiosRim)).signed.certificates.map(({ raw }) => raw);
      const der = [...recorded, ...documents].find((each) => parseCertificate(each).subject.commonName === root.name);
      expect(await sha256(der ?? new Uint8Array())).toBe(root.certificateSha256);
      expect(await sha256(parseCertificate(der ?? new Uint8Array()).spki)).toBe(root.spkiSha256);
    },
  );
});

async function sha256(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));
}
