import { describe, expect, it } from 'vitest';
import { parseAttestationPolicy, vendorAnchors, verifyEvidence, type VerifyEvidenceOptions } from '../src/index.ts';
import { encodeAndroidKeyEvidence, parse } from '../src/formats/android-key/index.ts';
import { androidCases, readChain } from './support/android-cases.ts';
import { prepareAndroid } from './support/android-forge.ts';
import { codeOf } from './support/errors.ts';
import { scramble } from './support/scramble.ts';
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

describe('a changed bit in an Android attestation', () => {
  it('is refused wherever it is', { timeout: 120_000 }, async () => {
    const options = await prepareAndroid();
    expect(await codeOf(verifyEvidence(options))).toBe('accepted');
    const codes = await mutate(options, 3);
    expect(codes.get('accepted')).toBeUndefined();
    for (const code of ['ANDROID_LEAF_SIGNATURE', 'ANDROID_INTERMEDIATE_SIGNATURE', 'ANDROID_ROOT_NOT_PINNED']) {
      expect(codes.get(code)).toBeGreaterThan(20);
    }
  });

  const accepted = androidCases.filter(({ verdict }) => verdict === 'accept');
  it.skipIf(!vectorsPresent).each(accepted)('is refused in $name', { timeout: 120_000 }, async (subject) => {
    const evidence = encodeAndroidKeyEvidence(readChain(subject));
    const options = {
      evidence,
      endorsements: [],
      policy: parseAttestationPolicy({
        version: 1,
        id: 'recorded',
        androidKey: { securityLevels: ['trusted-environment', 'strongbox'] },
        waivers: ['ANDROID_STATUS_MISSING', ...subject.waive].map((check) => ({ check, reason: 'recorded' })),
      }),
      anchors: vendorAnchors,
      expectedReportData: parse(evidence).description.challenge,
      now: new Date(subject.at),
    };
    expect(await codeOf(verifyEvidence(options))).toBe('accepted');
    expect((await mutate(options, 29)).get('accepted')).toBeUndefined();
  });
});

describe('a scrambled Android attestation', () => {
  it('is read or refused, and never crashes the reader', async () => {
    const { evidence } = await prepareAndroid();
    const codes = new Set<string>();
    for (let seed = 0; seed < 3000; seed += 1) {
      const value = scramble(evidence.value, seed);
      codes.add(await codeOf(() => parse({ ...evidence, value })));
    }
    expect(codes.size).toBeGreaterThan(8);
  });
});
