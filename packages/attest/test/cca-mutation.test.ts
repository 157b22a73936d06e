import { toBase64Url } from '@fastness/codec';
import { ccaEvidence } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { parseAttestationPolicy, verifyEvidence } from '../src/index.ts';
import { parse } from '../src/formats/arm-cca/index.ts';
import { flip, now, recordedKey, stateOf } from './support/arm-forge.ts';
import { ccaCases } from './support/cca-cases.ts';
import { prepareCca } from './support/cca-forge.ts';
import { codeOf } from './support/errors.ts';
import { scramble } from './support/scramble.ts';
import { vectorsPresent } from './support/vectors.ts';

/** By code. Anything thrown that is not a FastnessError fails the test. */
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

describe('a scrambled CCA token', () => {
  it.each([399, 907])('is read or refused, and never crashes the reader (tag %i)', async (tag) => {
    const { evidence } = await prepareCca({ token: { tag } });
    const codes = new Set<string>();
    for (let seed = 0; seed < 2000; seed += 1) {
      const value = scramble(evidence.value, seed);
      codes.add(await codeOf(() => parse({ ...evidence, value })));
    }
    expect(codes.size).toBeGreaterThan(12);
  });
});

describe('a changed bit in a CCA token', () => {
  it('is refused wherever it is', async () => {
    const options = await prepareCca();
    const { evidence } = options;
    expect(await codeOf(verifyEvidence(options))).toBe('accepted');
    const codes = await outcomes(evidence.value.length, 1, async (position) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: flip(evidence.value, position) } }),
    );
    expect(codes.get('accepted')).toBeUndefined();
    expect(codes.get('CCA_PLATFORM_SIGNATURE')).toBeGreaterThan(100);
    expect(codes.get('CCA_REALM_SIGNATURE')).toBeGreaterThan(100);
  });

  const accepted = ccaCases.filter(({ verdict }) => verdict === 'accept');
  it.skipIf(!vectorsPresent).each(accepted)('is refused in $name', async (recorded) => {
    const value = recorded.token();
    const { platform, realm } = parse(ccaEvidence(value));
    const { instanceId, implementationId } = platform;
    const publicKey = toBase64Url(await recordedKey(recorded.key));
    const options = {
      endorsements: [],
      policy: parseAttestationPolicy({
        version: 1,
        id: 'recorded',
        armCca: {
          keys: [{ instanceId, implementationId, publicKey }],
          references: [stateOf(platform)],
          measurements: [realm.initialMeasurement],
        },
        waivers: [],
      }),
      anchors: {},
      expectedReportData: realm.challenge,
      now,
    };
    const attempt = async (bytes: Uint8Array) => verifyEvidence({ ...options, evidence: ccaEvidence(bytes) });
    expect(await codeOf(attempt(value))).toBe('accepted');
    const codes = await outcomes(value.length, 2, async (position) => attempt(flip(value, position)));
    expect(codes.get('accepted')).toBeUndefined();
  });

  it('or a token cut short is refused', async () => {
    const options = await prepareCca();
    const { evidence } = options;
    const codes = await outcomes(evidence.value.length, 3, async (length) =>
      verifyEvidence({ ...options, evidence: { ...evidence, value: evidence.value.subarray(0, length) } }),
    );
    expect([...codes.keys()].toSorted()).toEqual(['CCA_TOKEN_SIZE', 'CODEC_TRUNCATED']);
  });
});
