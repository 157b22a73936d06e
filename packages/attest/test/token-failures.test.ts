import { errorRegistry } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { codeOf } from './support/errors.ts';
import { jwsFailures, trustFailures } from './support/token-failures-jws.ts';
import {
  confidentialSpaceFailures,
  itaFailures,
  maaFailures,
  nrasFailures,
} from './support/token-failures-services.ts';
import { judgeToken } from './support/token-forge.ts';

describe('forged tokens with one thing wrong', () => {
  it.each(jwsFailures)('are not signed as they must be: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeToken(scenario))).toBe(code);
  });

  it.each(trustFailures)('are not authentic: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeToken(scenario))).toBe(code);
  });

  it.each(maaFailures)('are not acceptable, Azure: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeToken(scenario))).toBe(code);
  });

  it.each(itaFailures)('are not acceptable, Intel: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeToken(scenario))).toBe(code);
  });

  it.each(confidentialSpaceFailures)('are not acceptable, Google: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeToken(scenario))).toBe(code);
  });

  it.each(nrasFailures)('are not acceptable, NVIDIA: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeToken(scenario))).toBe(code);
  });

  it('exist for every check', () => {
    const tested = new Set<string>(
      [jwsFailures, trustFailures, maaFailures, itaFailures, confidentialSpaceFailures, nrasFailures]
        .flat()
        .map(([code]) => code),
    );
    const mine = /^(?:JWS|JWK|TOKEN|MAA|ITA|GCS|NRAS)_/;
    expect(Object.keys(errorRegistry).filter((code) => mine.test(code) && !tested.has(code))).toEqual([]);
  });
});
