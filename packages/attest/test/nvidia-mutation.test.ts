import { describe, expect, it } from 'vitest';
import { VerificationCache, verifyEvidence } from '../src/index.ts';
import {
  decodeNvidiaEndorsements,
  decodeNvidiaEvidence,
  encodeNvidiaEndorsements,
  encodeNvidiaEvidence,
  parse,
  readRim,
} from '../src/formats/nvidia/index.ts';
import { codeOf } from './support/errors.ts';
import { multiSwitch, nvidiaCases, nvidiaOptions } from './support/nvidia-cases.ts';
import { prepareNvidia } from './support/nvidia-forge.ts';
import { scramble } from './support/scramble.ts';
import { vectorsPresent } from './support/vectors.ts';

/** A copy with one bit changed; the bit moves with the position, so that all eight are sampled. */
function flip(bytes: Uint8Array, position: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[position] = (flipped[position] ?? 0) ^ (1 << ((position * 5 + 3) % 8));
  return flipped;
}

/** Positions by outcome. Anything thrown that is not a FastnessError fails the test. */
async function outcomes(
  length: number,
  step: number,
  attempt: (position: number) => Promise<unknown>,
): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (let position = 0; position < length; position += step) {
    const code = await codeOf(attempt(position));
    found.set(code, [...(found.get(code) ?? []), position]);
  }
  return found;
}

describe('scrambled NVIDIA material', () => {
  it('is read or refused, and never crashes a reader', async () => {
    const { evidence, endorsements } = await prepareNvidia();
    const { report, certificates } = decodeNvidiaEvidence(evidence);
    const { rims, ocspResponses } = decodeNvidiaEndorsements(endorsements[0] ?? evidence);
    const [rim = new Uint8Array()] = rims;
    const [response = new Uint8Array()] = ocspResponses;
    const codes = new Set<string>();
    for (let seed = 0; seed < 200; seed += 1) {
      const scrambled = encodeNvidiaEvidence({ report: scramble(report, seed), certificates });
      codes.add(await codeOf(() => parse({ ...evidence, value: scramble(evidence.value, seed) })));
      codes.add(await codeOf(() => parse(scrambled)));
      codes.add(await codeOf(() => readRim(scramble(rim, seed))));
      const ocsp = encodeNvidiaEndorsements({ ocspResponses: [scramble(response, seed)] });
      codes.add(await codeOf(() => parse(evidence, [ocsp])));
    }
    expect(codes.size).toBeGreaterThan(10);
  });
});

describe('a changed bit', () => {
  it('in a forged report or its certificates is refused wherever it is', async () => {
    const options = { ...(await prepareNvidia()), cache: new VerificationCache() };
    expect(await codeOf(verifyEvidence(options))).toBe('accepted');
    const { evidence } = options;
    const found = await outcomes(evidence.value.length, 17, async (position) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: flip(evidence.value, position) } }),
    );
    expect(found.get('accepted')).toBeUndefined();
    expect(found.get('NVIDIA_REPORT_SIGNATURE')?.length).toBeGreaterThan(50);
  });

  it('in a forged document or response is refused wherever it is', async () => {
    const options = { ...(await prepareNvidia()), cache: new VerificationCache() };
    const [endorsement] = options.endorsements;
    if (endorsement === undefined) throw new TypeError('No endorsements.');
    const found = await outcomes(endorsement.value.length, 257, async (position) =>
      verifyEvidence({ ...options, endorsements: [{ ...endorsement, value: flip(endorsement.value, position) }] }),
    );
    // A CertID, a serial number or a version that changes makes one that is needed go missing; nothing is accepted for it.
    expect(found.get('accepted')).toBeUndefined();
    expect(found.size).toBeGreaterThan(5);
  });

  it('or a report cut short is refused', async () => {
    const options = { ...(await prepareNvidia()), cache: new VerificationCache() };
    const { report, certificates } = decodeNvidiaEvidence(options.evidence);
    const found = await outcomes(report.length, 97, async (length) =>
      verifyEvidence({
        ...options,
        evidence: encodeNvidiaEvidence({ report: report.subarray(0, length), certificates }),
      }),
    );
    expect([...found.keys()]).toEqual(['CODEC_TRUNCATED']);
  });

  it('in the settings is not signed by the GPU, and is what the policy sees', async () => {
    const { evidence } = await prepareNvidia();
    const { report, certificates } = decodeNvidiaEvidence(evidence);
    const changed = encodeNvidiaEvidence({
      report,
      certificates,
      settings: { confidentialComputing: true, developerTools: true },
    });
    const options = await prepareNvidia();
    expect(await codeOf(verifyEvidence({ ...options, evidence: changed }))).toBe('NVIDIA_DEVTOOLS');
  });

  const accepted = nvidiaCases.filter(({ verdict, row }) => verdict === 'accept' && row !== multiSwitch);
  it.skipIf(!vectorsPresent).each(accepted)('is refused in $name', async (one) => {
    const options = { ...nvidiaOptions(one), cache: new VerificationCache() };
    const { evidence, endorsements } = options;
    expect(await codeOf(verifyEvidence(options))).toBe('accepted');
    const found = await outcomes(evidence.value.length, 151, async (position) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: flip(evidence.value, position) } }),
    );
    expect(found.get('accepted')).toBeUndefined();
    if (one.rims.length === 0) return;
    const [endorsement] = endorsements;
    if (endorsement === undefined) throw new TypeError('No endorsements.');
    const documents = await outcomes(endorsement.value.length, 299, async (position) =>
      verifyEvidence({ ...options, endorsements: [{ ...endorsement, value: flip(endorsement.value, position) }] }),
    );
    expect(documents.get('accepted')).toBeUndefined();
  });
});
