import { errorRegistry } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { chainFailures, readingFailures } from './support/android-failures.ts';
import { appraisalFailures } from './support/android-failures-appraise.ts';
import { judgeAndroid } from './support/android-forge.ts';
import { codeOf } from './support/errors.ts';

describe('forged Android attestations with one thing wrong', () => {
  it.each(readingFailures)('are not read: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeAndroid(scenario))).toBe(code);
  });

  it.each(chainFailures)('are not authentic: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeAndroid(scenario))).toBe(code);
  });

  it.each(appraisalFailures)('are not acceptable: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeAndroid(scenario))).toBe(code);
  });

  it('exist for every check', () => {
    const tested = new Set<string>([readingFailures, chainFailures, appraisalFailures].flat().map(([code]) => code));
    const codes = Object.keys(errorRegistry).filter((code) => code.startsWith('ANDROID_'));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });
});
