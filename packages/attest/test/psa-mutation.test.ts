import { describe, expect, it } from 'vitest';
import { toBase64Url } from '@fastness/codec';
import { psaEvidence } from '@fastness/testkit';
import { parseAttestationPolicy, verifyEvidence } from '../src/index.ts';
import { parse } from '../src/formats/arm-psa/index.ts';
import { flip, now, recordedKey } from './support/arm-forge.ts';
import { pinVendor, signedCorim } from './support/arm-corims.ts';
import { codeOf } from './support/errors.ts';
import { preparePsa } from './support/psa-forge.ts';
import { psaCases } from './support/psa-cases.ts';
import { scramble } from './support/scramble.ts';
import { readVector, vectorsPresent } from './support/vectors.ts';

/** By code. Anything thrown that is not a FastnessError fails the test. */
async function outcomes(length: number, attempt: (position: number) => Promise<unknown>): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let position = 0; position < length; position += 1) {
    const code = await codeOf(attempt(position));
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return counts;
}

describe('a scrambled PSA token', () => {
  it('is read or refused, and never crashes the reader', async () => {
    const { evidence } = await preparePsa();
    const codes = new Set<string>();
    for (let seed = 0; seed < 4000; seed += 1) {
      const value = scramble(evidence.value, seed);
      codes.add(await codeOf(() => parse({ ...evidence, value })));
    }
    expect(codes.size).toBeGreaterThan(12);
  });
});

describe('a changed bit in a PSA token', () => {
  it('is refused wherever it is', async () => {
    const options = await preparePsa();
    const { evidence } = options;
    expect(await codeOf(verifyEvidence(options))).toBe('accepted');
    const codes = await outcomes(evidence.value.length, async (position) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: flip(evidence.value, position) } }),
    );
    expect(codes.get('accepted')).toBeUndefined();
    expect(codes.get('PSA_SIGNATURE')).toBeGreaterThan(100);
  });

  it('or in its CoRIM is refused wherever it is', async () => {
    const endorsements = await signedCorim();
    const options = await preparePsa({ section: pinVendor, without: ['keys', 'references'] });
    const [corim] = endorsements;
    if (corim === undefined) throw new Error('no CoRIM');
    expect(await codeOf(verifyEvidence({ ...options, endorsements }))).toBe('accepted');
    const codes = await outcomes(corim.value.length, async (position) =>
      verifyEvidence({ ...options, endorsements: [{ ...corim, value: flip(corim.value, position) }] }),
    );
    expect(codes.get('accepted')).toBeUndefined();
    expect(codes.get('CORIM_SIGNATURE')).toBeGreaterThan(100);
  });

  const accepted = psaCases.filter(({ verdict }) => verdict === 'accept');
  it.skipIf(!vectorsPresent).each(accepted)('is refused in $name', async ({ row, key }) => {
    const value = readVector(row);
    const { token } = parse(psaEvidence(value));
    const options = {
      endorsements: [],
      policy: parseAttestationPolicy({
        version: 1,
        id: 'recorded',
        armPsa: {
          keys: [
            {
              instanceId: token.instanceId,
              implementationId: token.implementationId,
              publicKey: toBase64Url(await recordedKey(key)),
            },
          ],
          references: [
            {
              implementationId: token.implementationId,
              components: token.softwareComponents.map(({ measurement }) => ({ digests: [{ value: measurement }] })),
            },
          ],
          clientIds: 'any',
        },
        waivers: [],
      }),
      anchors: {},
      expectedReportData: token.nonce,
      now,
    };
    const attempt = async (bytes: Uint8Array) => verifyEvidence({ ...options, evidence: psaEvidence(bytes) });
    expect(await codeOf(attempt(value))).toBe('accepted');
    const codes = await outcomes(value.length, async (position) => attempt(flip(value, position)));
    expect(codes.get('accepted')).toBeUndefined();
  });

  it('or a token cut short is refused', async () => {
    const options = await preparePsa();
    const { evidence } = options;
    const codes = await outcomes(evidence.value.length, async (length) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: evidence.value.subarray(0, length) } }),
    );
    expect([...codes.keys()].toSorted()).toEqual(['CODEC_TRUNCATED', 'PSA_TOKEN_SIZE']);
  });
});
