import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seedsByTarget } from '../seeds.ts';
import { openSession, type Session } from '../session.ts';
import { targets } from '../targets.ts';

/** A moment for each; ten minutes and more by hand: npm run fuzz. */
const SECONDS = 0.25;

let session: Session;
let seeds: ReadonlyMap<string, readonly Uint8Array[]>;

beforeAll(async () => {
  [session, seeds] = await Promise.all([openSession(new URL('../targets.ts', import.meta.url)), seedsByTarget()]);
});
afterAll(async () => session[Symbol.asyncDispose]());

describe('readers of untrusted bytes', () => {
  it.each([...targets.keys()])('%s: reads or refuses, whatever comes', async (target) => {
    const report = await session.run({ target, seeds: seeds.get(target) ?? [], seconds: SECONDS, seed: 1 });
    expect(report.finding).toBeUndefined();
    expect(report.runs).toBeGreaterThan(0);
    expect(report.places).toBeGreaterThan(0);
  });
});
