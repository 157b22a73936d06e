import { errorRegistry } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { codeOf } from './support/errors.ts';
import { appraisalFailures, authenticityFailures, tokenFailures } from './support/cca-failures.ts';
import { judgeCca } from './support/cca-forge.ts';

describe('forged CCA tokens with one thing wrong', () => {
  it.each(tokenFailures)('are not read: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeCca(scenario))).toBe(code);
  });

  it.each(authenticityFailures)('are not authentic: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeCca(scenario))).toBe(code);
  });

  it.each(appraisalFailures)('are not acceptable: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeCca(scenario))).toBe(code);
  });

  it('exist for every check', () => {
    const tested = new Set<string>(
      [...tokenFailures, ...authenticityFailures, ...appraisalFailures].map(([code]) => code),
    );
    const codes = Object.keys(errorRegistry).filter((code) => code.startsWith('CCA_'));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });
});
