import { toHex } from '@fastness/codec';
import { afterAll, describe, expect, it } from 'vitest';
import { awsAnchors, nitroRoots, verifyEvidence, type AttestationVerdict } from '../src/index.ts';
import { parseCertificate } from '@fastness/codec/x509';
import { codeOf } from './support/errors.ts';
import {
  nitroOptions,
  nitroTpmFixture,
  nitroVectors,
  type NitroChange,
  type NitroVector,
} from './support/nitro-vectors.ts';
import { readCertificates, readTable, vectorsPresent } from './support/vectors.ts';

const counts: Record<string, number> = {};
const count = (verdict: string) => {
  counts[verdict] = (counts[verdict] ?? 0) + 1;
};

async function judge(vector: NitroVector, change: NitroChange = {}): Promise<AttestationVerdict> {
  return verifyEvidence(nitroOptions(vector, change));
}

async function expectCode(attempt: Promise<unknown>, code: string): Promise<void> {
  expect(await codeOf(attempt)).toBe(code);
  count(code);
}

const accepted = nitroVectors.filter(({ verdict }) => verdict === 'accept');
const debug = nitroVectors.filter(({ verdict }) => verdict === 'NITRO_DEBUG');

describe.skipIf(!vectorsPresent)('recorded Nitro documents', () => {
  afterAll(() => {
    const lines = Object.entries(counts).map(([verdict, times]) => `${verdict} ${times}`);
    process.stdout.write(`recorded Nitro documents: ${nitroVectors.length} documents; verdicts: ${lines.join(', ')}\n`);
  });

  it('cover every Nitro row of the index', () => {
    const rows = readTable('INDEX.tsv').filter((row) => ['nitro', 'nitrotpm'].includes(row['tee'] ?? ''));
    const first = rows.map((row) => row['files (under vectors/)']?.split(' ; ')[0] ?? '');
    expect(first.length).toBeGreaterThan(0);
    expect(first.filter((file) => !nitroVectors.some(({ row }) => row === file))).toEqual([]);
  });

  it.each(accepted)('are accepted: $name', async (vector) => {
    const { claims, waivers } = await judge(vector);
    expect(claims).toMatchObject({ tee: vector.tee, debug: false, vendor: 'AWS' });
    expect(waivers).toEqual([]);
    count('accept');
  });

  it.each(debug)('are refused for debugging, listed registers or not: $name', async (vector) => {
    await expectCode(judge(vector), 'NITRO_DEBUG');
    await expectCode(judge(vector, { section: { measurements: ['11'.repeat(48)] } }), 'NITRO_DEBUG');
  });

  it.each(debug)('are accepted under a waiver, which is reported: $name', async (vector) => {
    const { claims, waivers } = await judge(vector, { waive: ['NITRO_DEBUG'] });
    expect(waivers.map(({ check }) => check)).toEqual(['NITRO_DEBUG']);
    expect(claims.debug).toBe(true);
  });

  it.each(nitroVectors)('are refused outside their window: $name', async (vector) => {
    const end = new Date(vector.until).getTime();
    await expectCode(judge(vector, { at: new Date(end + 1000).toISOString() }), 'NITRO_LEAF_VALIDITY');
    // The instance authority begins before the leaf, and everything above it earlier still.
    await expectCode(judge(vector, { at: new Date(end - 3 * 3_600_000 - 4000).toISOString() }), 'NITRO_LEAF_VALIDITY');
    await expectCode(judge(vector, { at: '2026-11-23T12:00:00Z' }), 'NITRO_INTERMEDIATE_VALIDITY');
  });

  it.each(nitroVectors)('are refused when stale, or for another session: $name', async (vector) => {
    await expectCode(judge(vector, { section: { maxAgeSeconds: 60 } }), 'NITRO_TIMESTAMP_STALE');
    await expectCode(judge(vector, { expected: new Uint8Array(64).fill(1) }), 'NITRO_REPORT_DATA_MISMATCH');
  });

  it('show what the NitroTPM document binds', async () => {
    const vector = accepted.find(({ tee }) => tee === 'aws-nitrotpm');
    if (vector === undefined) throw new Error('no NitroTPM document');
    const { claims } = await judge(vector);
    const key = `04${nitroTpmFixture('ak_pubkeys', 'ecc_p256', 'x')}${nitroTpmFixture('ak_pubkeys', 'ecc_p256', 'y')}`;
    expect(claims).toMatchObject({
      publicKey: key,
      reportData: nitroTpmFixture('nonce'),
      nonce: nitroTpmFixture('nonce'),
    });
    expect(claims).toMatchObject({ pcrs: { 4: claims.measurement, 7: nitroTpmFixture('pcrs', 'sha384', '7') } });
    for (let index = 0; index < 24; index += 1) {
      expect('pcrs' in claims && claims.pcrs[index]).toBe(nitroTpmFixture('pcrs', 'sha384', `${index}`));
    }
  });

  it('end in the recorded root', async () => {
    const [anchor] = nitroRoots;
    const row = readTable('ROOTS.tsv').find((candidate) => candidate['subject_cn'] === anchor?.name);
    expect(row).toMatchObject({
      issuer: 'self',
      cert_sha256: anchor?.certificateSha256,
      spki_sha256: anchor?.spkiSha256,
    });
    const [der = new Uint8Array()] = readCertificates(row?.['file'] ?? '');
    const sha256 = async (bytes: Uint8Array) =>
      toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));
    expect(await sha256(der)).toBe(anchor?.certificateSha256);
    expect(await sha256(parseCertificate(der).spki)).toBe(anchor?.spkiSha256);
    expect(Object.isFrozen(nitroRoots) && Object.isFrozen(anchor) && Object.isFrozen(awsAnchors)).toBe(true);
  });
});
