import { decodePem, toHex } from '@fastness/codec';
import { parseCertificate } from '@fastness/codec/x509';
import { forgeAndroidStatus } from '@fastness/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { androidAnchors, androidRoots, verifyEvidence, type TrustAnchors } from '../src/index.ts';
import { androidCases, readChain, type AndroidCase } from './support/android-cases.ts';
import { androidOptions, type AndroidChange } from './support/conformance/android.ts';
import { codeOf } from './support/errors.ts';
import { readTable, readVectorText, vectorsPresent } from './support/vectors.ts';

const counts: Record<string, number> = {};
const sha256 = async (bytes: Uint8Array) =>
  toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));

const judge = async (subject: AndroidCase, change: AndroidChange = {}) =>
  verifyEvidence(androidOptions(subject, change));

async function verdictOf(attempt: Promise<unknown>): Promise<string> {
  const code = await codeOf(attempt);
  counts[code] = (counts[code] ?? 0) + 1;
  return code;
}

const accepted = androidCases.filter(({ verdict }) => verdict === 'accept');
const refused = androidCases.filter(({ verdict }) => verdict !== 'accept');
const unlocked = accepted.filter(({ waive }) => waive.length > 0);

describe.skipIf(!vectorsPresent)('recorded Android attestations', () => {
  afterAll(() => {
    const lines = Object.entries(counts).map(([verdict, times]) => `${verdict} ${times}`);
    process.stdout.write(
      `recorded Android attestations: ${androidCases.length} chains; verdicts: ${lines.join(', ')}\n`,
    );
  });

  it('cover every Android row of the index', () => {
    const rows = readTable('INDEX.tsv').filter((row) => row['tee'] === 'android');
    const files = rows.map((row) => row['files (under vectors/)'] ?? '');
    expect(files.length).toBeGreaterThan(0);
    expect(files.toSorted()).toEqual(androidCases.map(({ row }) => row).toSorted());
  });

  it.each(accepted)('are accepted: $name', async (subject) => {
    const { claims, waivers } = await judge(subject);
    expect(claims).toMatchObject({
      tee: 'android-key',
      attestationSecurityLevel: subject.level,
      keyMintSecurityLevel: subject.level,
      attestationVersion: subject.version,
      key: { algorithm: subject.algorithm, origin: 'generated' },
      debug: subject.waive.length > 0,
    });
    expect(waivers.map(({ check }) => check)).toEqual(['ANDROID_STATUS_MISSING', ...subject.waive]);
    counts['accepted'] = (counts['accepted'] ?? 0) + 1;
  });

  it.each(refused)('are refused: $name', async (subject) => {
    // What cannot be read has no challenge to compare.
    expect(await verdictOf(judge(subject, { challenge: new Uint8Array(9) }))).toBe(subject.verdict);
  });

  it.each(accepted)('are refused without a status list, and when they are on it: $name', async (subject) => {
    expect(await verdictOf(judge(subject, { waive: subject.waive }))).toBe('ANDROID_STATUS_MISSING');
    const at = new Date(subject.at);
    const withStatus = (entries: Record<string, unknown>): TrustAnchors => ({
      androidKey: { roots: androidRoots, status: { json: forgeAndroidStatus(entries), fetchedAt: at } },
    });
    const { waive } = subject;
    expect(await verdictOf(judge(subject, { waive, anchors: withStatus({}) }))).toBe('accepted');
    const serial = toHex(parseCertificate(readChain(subject)[1] ?? new Uint8Array()).serial).replace(/^0+/, '');
    const revoked = withStatus({ [serial]: { status: 'REVOKED', reason: 'KEY_COMPROMISE' } });
    expect(await verdictOf(judge(subject, { waive, anchors: revoked }))).toBe('ANDROID_REVOKED');
  });

  it.each(unlocked)('are refused as unlocked, which their devices were: $name', async (subject) => {
    expect(await verdictOf(judge(subject, { waive: ['ANDROID_STATUS_MISSING'] }))).toBe('ANDROID_UNLOCKED');
    const halfWaived = judge(subject, { waive: ['ANDROID_STATUS_MISSING', 'ANDROID_UNLOCKED'] });
    expect(await verdictOf(halfWaived)).toBe('ANDROID_BOOT_STATE');
  });

  it.each(accepted)('are refused for another challenge, another level and another root: $name', async (subject) => {
    expect(await verdictOf(judge(subject, { challenge: new Uint8Array(32) }))).toBe('ANDROID_CHALLENGE_MISMATCH');
    const other = subject.level === 'strongbox' ? 'trusted-environment' : 'strongbox';
    const section = { securityLevels: [other] };
    expect(await verdictOf(judge(subject, { section }))).toBe('ANDROID_ATTESTATION_LEVEL');
    const spki = await sha256(parseCertificate(readChain(subject).at(-1) ?? new Uint8Array()).spki);
    const roots = androidRoots.filter(({ spkiSha256 }) => spkiSha256 !== spki);
    expect(roots.length).toBe(1);
    expect(await verdictOf(judge(subject, { anchors: { androidKey: { roots } } }))).toBe('ANDROID_ROOT_NOT_PINNED');
  });

  it.each(accepted)('are refused before and after their intermediates: $name', async (subject) => {
    for (const at of ['2016-06-01T00:00:00Z', '2040-01-01T00:00:00Z']) {
      expect(await verdictOf(judge(subject, { at }))).toBe('ANDROID_INTERMEDIATE_VALIDITY');
    }
  });

  it('of the oldest chain outlive their root certificate, whose key is what is pinned', async () => {
    const [subject] = accepted;
    if (subject === undefined) throw new Error('no case');
    const root = parseCertificate(readChain(subject).at(-1) ?? new Uint8Array());
    expect(root.notAfter.getTime()).toBeLessThan(new Date('2026-11-23').getTime());
    expect(androidRoots.some(({ certificateSha256 }) => certificateSha256 === toHex(root.raw))).toBe(false);
    for (const at of ['2026-05-23T00:00:00Z', '2026-11-23T00:00:00Z', '2028-07-01T00:00:00Z']) {
      expect(await verdictOf(judge(subject, { at }))).toBe('accepted');
    }
  });

  it('made by software are refused even under a pinned root', async () => {
    const software = androidCases.find(({ row }) => row.includes('marlin'));
    if (software === undefined) throw new Error('no case');
    const root = parseCertificate(readChain(software).at(-1) ?? new Uint8Array());
    const pin = { name: 'software', spkiSha256: await sha256(root.spki), certificateSha256: '', source: 'a test' };
    const anchors = { androidKey: { roots: [pin] } };
    expect(await verdictOf(judge(software, { anchors }))).toBe('ANDROID_ATTESTATION_LEVEL');
  });

  it.each(androidRoots)('end in the recorded root: $name', async (root) => {
    const row = readTable('ROOTS.tsv').find((candidate) => candidate['subject_cn']?.endsWith(root.name));
    expect(row).toMatchObject({ issuer: 'self', cert_sha256: root.certificateSha256, spki_sha256: root.spkiSha256 });
    const pems: unknown = JSON.parse(readVectorText((row?.['file'] ?? '').replace(/^android\//, 'roots/')));
    const ders = decodePem((pems as string[]).join('\n'), 'CERTIFICATE');
    const digests = await Promise.all(ders.map(async (der) => sha256(der)));
    const place = digests.indexOf(root.certificateSha256);
    expect(await sha256(parseCertificate(ders[place] ?? new Uint8Array()).spki)).toBe(root.spkiSha256);
    expect([androidAnchors, androidAnchors.androidKey, androidRoots, root].every((each) => Object.isFrozen(each))).toBe(
      true,
    );
  });

  it('end in no other recorded root', async () => {
    const recorded = readTable('ROOTS.tsv').filter(({ file }) => (file ?? '').startsWith('android/'));
    expect(recorded.map((row) => row['spki_sha256']).toSorted()).toEqual(
      androidRoots.map(({ spkiSha256 }) => spkiSha256).toSorted(),
    );
  });
});
