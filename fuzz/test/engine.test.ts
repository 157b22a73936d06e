import { describe, expect, it } from 'vitest';
import { fuzz, type Target } from '../engine.ts';
import { COVERAGE, instrument } from '../instrument.ts';
import { randomFrom } from '../mutate.ts';
import { openSession } from '../session.ts';

const planted = new URL('planted.ts', import.meta.url);
const include = /\/planted\.ts$/;
const runs = { seeds: [], seed: 7, seconds: 60, maxRuns: 200_000, maxBytes: 64, clock: () => performance.now() };

describe('the fuzzer', () => {
  it('finds a fault behind four bytes, and only because coverage guides it', async () => {
    const { code, places } = await instrument(planted, include);
    const coverage = new Uint8Array(places);
    Object.assign(globalThis, { [COVERAGE]: coverage });
    const { targets } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
      targets: ReadonlyMap<string, Target>;
    };
    const target = targets.get('fault') ?? (() => undefined);
    const guided = await fuzz({ ...runs, target, coverage });
    expect(guided.finding?.error).toMatchObject({ message: 'planted' });
    expect(guided.finding?.input.subarray(0, 4)).toEqual(Uint8Array.from([0x66, 0x6f, 0x72, 0x74]));
    const blind = await fuzz({ ...runs, target, coverage: new Uint8Array(places), maxRuns: guided.runs * 4 });
    expect(blind.finding).toBeUndefined();
  });

  it('runs the same inputs for the same seed', async () => {
    const inputs = async (): Promise<string[]> => {
      const seen: string[] = [];
      const target: Target = (input) => void seen.push([...input].join(' '));
      await fuzz({ ...runs, target, coverage: new Uint8Array(1), maxRuns: 500, seeds: [new Uint8Array(20)] });
      return seen;
    };
    expect(await inputs()).toEqual(await inputs());
    expect(new Set(await inputs()).size).toBeGreaterThan(100);
  });

  it('reports what hangs or fills the heap with its input, and goes on', async () => {
    await using session = await openSession(planted, { include, hangMs: 3000 });
    const options = { seeds: [], seconds: 30, seed: 7, maxBytes: 64 };
    const hang = await session.run({ ...options, target: 'hang' });
    expect(hang.finding?.error).toContain('no end within');
    expect(hang.finding?.input.length).toBeGreaterThan(2);
    const heap = await session.run({ ...options, target: 'heap' });
    expect(heap.finding).toBeDefined();
    const sound = await session.run({ ...options, target: 'sound', seconds: 0.1 });
    expect(sound.finding).toBeUndefined();
    expect(sound.runs).toBeGreaterThan(10);
  });

  it('draws numbers that spread', () => {
    const random = randomFrom(1);
    const drawn = new Set(Array.from({ length: 1000 }, () => random(100)));
    expect(drawn.size).toBe(100);
  });
});
