import { errorRegistry } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { importCorim } from '../src/corim/index.ts';
import { envelopeFailures, modelFailures } from './support/corim-failures.ts';
import { guestFailures, profileFailures } from './support/corim-failures-profiles.ts';
import { prepareCorim, type CorimScenario } from './support/corim-forge.ts';
import { codeOf } from './support/errors.ts';

const load = async (scenario: CorimScenario) => importCorim(await prepareCorim(scenario));

describe('forged CoRIMs with one thing wrong', () => {
  it.each(envelopeFailures)('are not opened: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(load(scenario))).toBe(code);
  });

  it.each(modelFailures)('are not read: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(load(scenario))).toBe(code);
  });

  it.each(profileFailures)('do not follow their profile: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(load(scenario))).toBe(code);
  });

  it.each(guestFailures)('cannot be a part of a policy: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(load(scenario))).toBe(code);
  });

  it('exist for every check', () => {
    const failures = [...envelopeFailures, ...modelFailures, ...profileFailures, ...guestFailures];
    const tested = new Set<string>(failures.map(([code]) => code));
    // Tested with the tokens: only there a manifest can be of the wrong kind.
    tested.add('CORIM_PROFILE_UNEXPECTED');
    const codes = Object.keys(errorRegistry).filter((code) => code.startsWith('CORIM_'));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });
});
