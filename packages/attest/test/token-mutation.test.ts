import { fromHex } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import { parseAttestationPolicy, vendorAnchors, verifyEvidence, type VerifyEvidenceOptions } from '../src/index.ts';
import { encodeGcpConfidentialSpaceEvidence, parse } from '../src/formats/gcp-confidential-space/index.ts';
import { codeOf } from './support/errors.ts';
import { scramble } from './support/scramble.ts';
import { prepareToken } from './support/token-forge.ts';
import { readToken, tokenVectors } from './support/token-vectors.ts';
import { vectorsPresent } from './support/vectors.ts';

/** Flips one bit of every `step`th byte; returns how often each code came. */
async function mutate(options: VerifyEvidenceOptions, step: number): Promise<Map<string, number>> {
  const { evidence } = options;
  const counts = new Map<string, number>();
  for (let position = 0; position < evidence.value.length; position += step) {
    const value = evidence.value.slice();
    value[position] = (value[position] ?? 0) ^ (1 << ((position * 5 + 3) % 8));
    const code = await codeOf(verifyEvidence({ ...options, evidence: { ...evidence, value } }));
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return counts;
}

describe('a changed bit in a token', () => {
  it.each(['azure-maa', 'intel-trust-authority', 'gcp-confidential-space', 'nvidia-nras'] as const)(
    'is refused wherever it is: %s',
    { timeout: 120_000 },
    async (service) => {
      const options = await prepareToken({ service });
      expect(await codeOf(verifyEvidence(options))).toBe('accepted');
      const codes = await mutate(options, service === 'azure-maa' ? 2 : 9);
      expect(codes.get('accepted')).toBeUndefined();
      expect(codes.get('JWS_SIGNATURE')).toBeGreaterThan(20);
    },
  );

  it.skipIf(!vectorsPresent)('is refused in the recorded one', { timeout: 120_000 }, async () => {
    const options = {
      evidence: encodeGcpConfidentialSpaceEvidence(readToken(tokenVectors.confidentialSpace)),
      endorsements: [],
      policy: parseAttestationPolicy({
        version: 1,
        id: 'recorded',
        gcpConfidentialSpace: {
          audiences: ['z08381475938604996746'],
          nonceEncoding: 'hex',
          measurements: ['e2e5e3672f416ac9ca71aa639abf86db0b713729a48c125a925af6c808b20b5d'],
          hardware: ['GCP_INTEL_TDX'],
        },
        waivers: [{ check: 'TOKEN_CRL_MISSING', reason: 'not recorded' }],
      }),
      anchors: vendorAnchors,
      expectedReportData: fromHex('75a91c8dbe289f190d5e70ab1cb70c93cc14d7243f0ef3ff5326a622ead220a6'),
      now: new Date('2025-09-05T08:30:00Z'),
    };
    expect(await codeOf(verifyEvidence(options))).toBe('accepted');
    expect((await mutate(options, 13)).get('accepted')).toBeUndefined();
  });
});

describe('a scrambled token', () => {
  it('is read or refused, and never crashes the reader', async () => {
    const { evidence } = await prepareToken({ service: 'gcp-confidential-space' });
    const codes = new Set<string>();
    for (let seed = 0; seed < 1500; seed += 1) {
      const value = scramble(evidence.value, seed);
      codes.add(await codeOf(() => parse({ ...evidence, value })));
    }
    expect(codes.size).toBeGreaterThan(4);
  });
});
