import { encodeSnpEndorsements } from '../src/formats/snp/index.ts';
import { describe, expect, it } from 'vitest';
import { verifyEvidence } from '../src/index.ts';
import { codeOf } from './support/errors.ts';
import { prepare } from './support/forge.ts';

/** A copy with one bit changed; the bit moves with the position, so that all eight are sampled. */
function flip(bytes: Uint8Array, position: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[position] = (flipped[position] ?? 0) ^ (1 << ((position * 5 + 3) % 8));
  return flipped;
}

const { chain, ...options } = await prepare();

/** Every position, or every n-th, by code. Anything thrown that is not a FastnessError fails the test. */
async function outcomes(
  length: number,
  step: number,
  attempt: (position: number) => Promise<unknown>,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let position = 0; position < length; position += step) {
    const code = await codeOf(attempt(position));
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return counts;
}

describe('a changed bit', () => {
  it('anywhere in the evidence is refused', async () => {
    expect(await codeOf(verifyEvidence(options))).toBe('accepted');
    const { evidence } = options;
    // Signed or not, no byte of a report is free: those that no signature covers must be zero.
    const codes = await outcomes(evidence.value.length, 1, async (position) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: flip(evidence.value, position) } }),
    );
    expect(codes.get('accepted')).toBeUndefined();
    expect(codes.get('SNP_REPORT_SIGNATURE')).toBeGreaterThan(400);
    expect(codes.get('SNP_REPORT_PADDING')).toBe(368 + 24 + 24);
  });

  it.each([
    ['leaf', 0],
    ['intermediate', 1],
    ['root', 2],
  ] as const)('in the %s certificate is refused', async (_, place) => {
    const codes = await outcomes(chain.certificates[place].length, 3, async (position) => {
      const certificates = chain.certificates.map((der, index) => (index === place ? flip(der, position) : der));
      return verifyEvidence({ ...options, endorsements: [encodeSnpEndorsements({ certificates, crls: [chain.crl] })] });
    });
    expect(codes.get('accepted')).toBeUndefined();
  });

  it('in the revocation list is refused', async () => {
    const codes = await outcomes(chain.crl.length, 3, async (position) => {
      const { certificates } = chain;
      return verifyEvidence({
        ...options,
        endorsements: [encodeSnpEndorsements({ certificates, crls: [flip(chain.crl, position)] })],
      });
    });
    expect(codes.get('accepted')).toBeUndefined();
    expect(codes.get('SNP_CRL_SIGNATURE')).toBeGreaterThan(50);
  });
});

describe('evidence that is cut short', () => {
  it('is refused at every length', async () => {
    const { evidence } = options;
    const codes = await outcomes(evidence.value.length, 37, async (length) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: evidence.value.subarray(0, length) } }),
    );
    expect([...codes.keys()]).toEqual(['CODEC_TRUNCATED']);
  });
});
