import { describe, expect, it } from 'vitest';
import { formatOf } from '../src/verify-one.ts';
import { codeOf } from './support/errors.ts';
import { conformanceCases } from './support/conformance/cases.ts';
import { vectorsPresent } from './support/vectors.ts';

describe.skipIf(!vectorsPresent)('the time of a verification', () => {
  it('is a date for the stages of every format, whoever calls them', async () => {
    const judged = new Set<string>();
    for (const { name, verdict, options } of conformanceCases) {
      if (verdict !== 'accept') continue;
      const accepted = await options();
      const { tee, verify } = formatOf(accepted.evidence);
      if (judged.has(tee)) continue;
      judged.add(tee);
      expect([name, await codeOf(verify(accepted))]).toEqual([name, 'accepted']);
      const { now } = accepted;
      for (const other of [undefined, new Date(Number.NaN), now.toISOString(), now.getTime()]) {
        const changed = { ...accepted };
        Reflect.set(changed, 'now', other);
        expect([name, other, await codeOf(verify(changed))]).toEqual([name, other, 'ATTEST_ARGUMENT_INVALID']);
      }
    }
    expect(judged.size).toBeGreaterThan(11);
  });
});
