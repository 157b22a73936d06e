import { errorRegistry } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { codeOf } from './support/errors.ts';
import { appraisalFailures, chainFailures, documentFailures } from './support/nitro-failures.ts';
import { judgeNitro } from './support/nitro-forge.ts';

describe('forged Nitro documents with one thing wrong', () => {
  it.each(documentFailures)('are not read: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeNitro(scenario))).toBe(code);
  });

  it.each(chainFailures)('are not authentic: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeNitro(scenario))).toBe(code);
  });

  it.each(appraisalFailures)('are not acceptable: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeNitro(scenario))).toBe(code);
  });

  it('exist for every check', () => {
    const failures = [...documentFailures, ...chainFailures, ...appraisalFailures];
    const tested = new Set<string>(failures.map(([code]) => code));
    // Tested with the stages: only there a nonce can be expected beside the report data.
    tested.add('NITRO_NONCE_MISMATCH');
    const codes = Object.keys(errorRegistry).filter((code) => code.startsWith('NITRO_'));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });
});
