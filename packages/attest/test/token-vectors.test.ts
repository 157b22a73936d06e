import { forgeJws, forgeKeySet, forgeNrasBundle, forgeTokenIssuer } from '@fastness/testkit';
import { fromHex, toHex } from '@fastness/codec';
import { parseCertificate } from '@fastness/codec/x509';
import { afterAll, describe, expect, it } from 'vitest';
import { tokenAnchors, tokenRoots, vendorAnchors, verifyEvidence, verifyRecordedEvidence } from '../src/index.ts';
import { encodeGcpConfidentialSpaceEvidence } from '../src/formats/gcp-confidential-space/index.ts';
import { encodeNvidiaNrasEvidence, parse as parseNras } from '../src/formats/nvidia-nras/index.ts';
import {
  googleOptions,
  nrasNonce,
  nrasOptions,
  policyOf,
  sampleClaims,
  type GoogleChange,
} from './support/conformance/tokens.ts';
import { codeOf } from './support/errors.ts';
import { claimsIn, readBundle, readTemplate, readToken, tokenVectors } from './support/token-vectors.ts';
import { readCertificates, readTable, vectorsPresent } from './support/vectors.ts';

const counts: Record<string, number> = {};
async function verdictOf(attempt: Promise<unknown>): Promise<string> {
  const code = await codeOf(attempt);
  counts[code] = (counts[code] ?? 0) + 1;
  return code;
}

const judgeGoogle = async (change: GoogleChange = {}) => verifyEvidence(googleOptions(change));

describe.skipIf(!vectorsPresent)('recorded tokens', () => {
  afterAll(() => {
    const lines = Object.entries(counts).map(([verdict, times]) => `${verdict} ${times}`);
    process.stdout.write(`recorded tokens: verdicts: ${lines.join(', ')}\n`);
  });

  it('cover every token row of the index', () => {
    const rows = readTable('INDEX.tsv').filter(
      (row) => row['tee']?.startsWith('jwt-') || row['what it is']?.includes('alg:none'),
    );
    const first = rows.map((row) => row['files (under vectors/)']?.split(' ; ')[0] ?? '');
    const known: readonly string[] = Object.values(tokenVectors);
    expect(first.length).toBe(4);
    expect(first.filter((file) => !known.includes(file))).toEqual([]);
  });

  it("of Confidential Space is accepted with Google's root", async () => {
    const { claims, waivers } = await judgeGoogle();
    expect(claims).toMatchObject({
      tee: 'gcp-confidential-space',
      hardware: 'GCP_INTEL_TDX',
      debug: false,
      token: {
        issuedAt: '2025-09-05T08:17:30.000Z',
        expiresAt: '2025-09-05T09:17:30.000Z',
        trustedBy: 'pinned-authority',
      },
    });
    expect(waivers.map(({ check }) => check)).toEqual(['TOKEN_CRL_MISSING']);
    counts['accepted'] = (counts['accepted'] ?? 0) + 1;
  });

  it('of Confidential Space can be judged without knowing its challenge, which the result says', async () => {
    const { waivers } = await verifyRecordedEvidence({
      evidence: encodeGcpConfidentialSpaceEvidence(readToken(tokenVectors.confidentialSpace)),
      endorsements: [],
      policy: policyOf({ gcpConfidentialSpace: sampleClaims }),
      anchors: vendorAnchors,
      now: new Date('2025-09-05T08:30:00Z'),
      reason: 'recorded',
    });
    expect(waivers.map(({ check }) => check)).toEqual(['TOKEN_CRL_MISSING', 'ATTEST_BINDING_UNCHECKED']);
  });

  it('of Confidential Space is refused in every other case', async () => {
    expect(await verdictOf(judgeGoogle({ waivers: [] }))).toBe('TOKEN_CRL_MISSING');
    expect(await verdictOf(judgeGoogle({ at: '2025-09-05T09:17:30Z' }))).toBe('TOKEN_EXPIRED');
    expect(await verdictOf(judgeGoogle({ at: '2025-09-05T08:16:00Z' }))).toBe('TOKEN_NOT_YET_VALID');
    expect(await verdictOf(judgeGoogle({ at: '2025-11-04T00:00:00Z' }))).toBe('TOKEN_CHAIN_VALIDITY');
    expect(await verdictOf(judgeGoogle({ anchors: {} }))).toBe('TOKEN_KEY_NOT_PINNED');
    const strangers = tokenRoots.map((root) => ({ ...root, spkiSha256: '00'.repeat(32) }));
    expect(await verdictOf(judgeGoogle({ anchors: { tokens: strangers } }))).toBe('TOKEN_KEY_NOT_PINNED');
    expect(await verdictOf(judgeGoogle({ nonce: '00'.repeat(32) }))).toBe('TOKEN_NONCE_MISMATCH');
    expect(await verdictOf(judgeGoogle({ section: { ...sampleClaims, audiences: ['another'] } }))).toBe(
      'TOKEN_AUDIENCE',
    );
    expect(await verdictOf(judgeGoogle({ section: { ...sampleClaims, hardware: ['GCP_AMD_SEV'] } }))).toBe(
      'GCS_HARDWARE_NOT_ALLOWED',
    );
    const [header = '', payload = '', signature = ''] = readToken(tokenVectors.confidentialSpace).split('.');
    for (const [alg, code] of [
      ['none', 'JWS_UNSIGNED'],
      ['HS256', 'JWS_ALGORITHM'],
      ['PS256', 'JWS_ALGORITHM'],
    ] as const) {
      const text = Buffer.from(header, 'base64url').toString().replace('RS256', alg);
      const token = [Buffer.from(text).toString('base64url'), payload, signature].join('.');
      expect(await verdictOf(judgeGoogle({ token }))).toBe(code);
    }
  });

  it.each([
    ['claims', '2025-07-01T18:00:00Z', 'accepted'],
    ['policy_claims', '2025-06-23T15:00:00Z', 'accepted'],
    ['debug_claims', '', 'GCS_DEBUG'],
    ['expired_claims', '2025-12-31T00:00:00Z', 'TOKEN_EXPIRED'],
    ['long_lived_claims', '', 'TOKEN_LIFETIME'],
  ])('of Confidential Space as project-oak signs them: %s', async (name, at, verdict) => {
    const claims = readTemplate(name);
    const now = at === '' ? new Date((Number(claims['iat']) + 60) * 1000) : new Date(at);
    const issuer = await forgeTokenIssuer({ now, algorithm: 'RS256' });
    const token = await forgeJws({
      keys: issuer.keys.leaf,
      algorithm: 'RS256',
      certificates: issuer.x5c,
      claims,
    });
    const attempt = judgeGoogle({
      token,
      at: now.toISOString(),
      // The last one has a nonce that is text; its life is looked at first.
      nonce: /"([0-9a-f]{64})"/.exec(JSON.stringify(claims['eat_nonce']))?.[1] ?? '00'.repeat(32),
      section: {
        audiences: [claims['aud']],
        hardware: ['GCP_AMD_SEV'],
        nonceEncoding: 'hex',
        minimumVersion: 250_301,
        measurements: ['313b8a83d3c8bfc9abcffee4f538424473e2705383a7e46f16d159faf0e5ef34'],
        signingKeys: [issuer.pins.leaf],
      },
    });
    expect(await verdictOf(attempt)).toBe(verdict);
  });

  const judgeNras = async (...change: Parameters<typeof nrasOptions>) => verifyEvidence(nrasOptions(...change));

  it('of NRAS are refused without the key set of their day, which was not recorded', async () => {
    const bundle = readBundle(tokenVectors.nras);
    expect(await verdictOf(judgeNras(bundle))).toBe('TOKEN_KEY_UNKNOWN');
    const { keyId = '' } = parseNras(encodeNvidiaNrasEvidence(bundle)).token.jws;
    const stranger = await forgeTokenIssuer({ now: new Date('2025-06-11T01:00:00Z'), algorithm: 'ES384', keyId });
    expect(await verdictOf(judgeNras(bundle, [forgeKeySet(stranger)]))).toBe('TOKEN_KEY_NOT_PINNED');
    expect(await verdictOf(judgeNras(bundle, [forgeKeySet(stranger)], [stranger.pins.leaf]))).toBe('JWS_SIGNATURE');
  });

  it('of NRAS say what this verifier asks for: recorded claims under a forged key', async () => {
    const parsed = parseNras(encodeNvidiaNrasEvidence(readBundle(tokenVectors.nras)));
    const now = new Date('2025-06-11T01:00:00Z');
    const issuer = await forgeTokenIssuer({ now, algorithm: 'ES384' });
    const copy = (to: Record<string, unknown>, from: object | undefined) => {
      for (const name of Object.keys(to)) delete to[name];
      Object.assign(to, from);
    };
    const bundle = await forgeNrasBundle({
      issuer,
      now,
      nonce: fromHex(nrasNonce),
      device: (claims, name) => {
        copy(claims, parsed.parts.get(name)?.claims);
      },
      overall: (claims) => {
        const { submods } = claims;
        copy(claims, { ...parsed.token.claims, submods });
      },
    });
    const { claims } = await judgeNras(bundle, [forgeKeySet(issuer)], [issuer.pins.leaf]);
    expect(claims).toMatchObject({
      tee: 'nvidia-nras',
      devices: [{ name: 'GPU-0', kind: 'gpu', driver: '550.90.07', firmware: '96.00.9F.00.01' }],
    });
  });

  it('of NRAS name their devices by the SHA-256 of their tokens', async () => {
    for (const path of [tokenVectors.nras, tokenVectors.nrasStaging]) {
      const { token, parts } = parseNras(encodeNvidiaNrasEvidence(readBundle(path)));
      for (const [name, part] of parts) {
        const text = new TextEncoder().encode(part.jws.text);
        const digest = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', text)));
        expect(token.claims['submods']).toMatchObject({ [name]: ['DIGEST', ['SHA-256', digest]] });
      }
    }
  });

  it("of NVIDIA's staging service, and of the local verifier of its SDK, are refused", async () => {
    expect(await verdictOf(judgeNras(readBundle(tokenVectors.nrasStaging)))).toBe('TOKEN_ISSUER_NOT_ALLOWED');
    const local = readBundle(tokenVectors.localVerifier);
    expect(await verdictOf(judgeNras(local))).toBe('JWS_UNSIGNED');
    const [[, overall]] = JSON.parse(local) as [[string, string]];
    expect(claimsIn(overall)['iss']).toBe('NVAT-LOCAL-VERIFIER');
  });

  it.each(tokenRoots)('end in the recorded root: $name', async (root) => {
    const row = readTable('ROOTS.tsv').find((candidate) => candidate['subject_cn'] === root.name);
    expect(row).toMatchObject({ issuer: 'self', cert_sha256: root.certificateSha256, spki_sha256: root.spkiSha256 });
    const sha256 = async (bytes: Uint8Array) =>
      toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));
    const [der = new Uint8Array()] = readCertificates(row?.['file'] ?? '');
    expect(await sha256(der)).toBe(root.certificateSha256);
    expect(await sha256(parseCertificate(der).spki)).toBe(root.spkiSha256);
    expect([tokenAnchors, tokenRoots, root].every((value) => Object.isFrozen(value))).toBe(true);
  });
});
