import { afterEach, describe, expect, it, vi } from 'vitest';
import { Admission, arrivingBody } from '../src/serve/admission.ts';
import { codeOf } from './codes.ts';

const admission = (changes: Partial<ConstructorParameters<typeof Admission>[0]> = {}): Admission =>
  new Admission({ concurrent: 2, arriving: 3, openMs: 60_000, arriveMs: 60_000, ...changes });
const codeFrom = (signal: AbortSignal): unknown => (signal.reason as { code?: unknown } | undefined)?.code;

describe('who may hold what', () => {
  afterEach(() => void vi.useRealTimers());

  it('a request that is not here yet takes no place from those that are', () => {
    const house = admission();
    const waiting = [house.enter(), house.enter(), house.enter()];
    expect([house.arriving, house.running]).toEqual([3, 0]);
    const honest = house.enter();
    honest.opened();
    honest.received();
    expect([house.arriving, house.running]).toEqual([2, 1]);
    for (const place of [...waiting, honest, honest]) place.leave();
    expect([house.arriving, house.running]).toEqual([0, 0]);
  });

  it('the oldest of those that arrive makes room for a newcomer', () => {
    const house = admission();
    const [first, second] = [house.enter(), house.enter(), house.enter()];
    house.enter();
    expect(codeFrom(first.signal)).toBe('ENCLAVE_BUSY');
    expect(second.signal.aborted).toBe(false);
    // Whoever was pushed out does not come back in by its last byte.
    first.received();
    first.leave();
    expect([house.arriving, house.running]).toEqual([3, 0]);
  });

  it('one too many in progress is refused, on arriving and on having arrived', () => {
    const house = admission();
    const late = house.enter();
    const places = [house.enter(), house.enter()];
    for (const place of places) place.received();
    expect(codeOf(() => house.enter())).toBe('ENCLAVE_BUSY');
    expect(codeOf(() => late.received())).toBe('ENCLAVE_BUSY');
    expect(codeFrom(late.signal)).toBe('ENCLAVE_BUSY');
    places[0]?.leave();
    house.enter().received();
    expect(house.running).toBe(2);
  });

  it('an answer that is on its way is not refused by the last byte of its request', () => {
    const house = admission({ concurrent: 1 });
    const place = house.enter();
    house.enter().received();
    place.answered();
    place.received();
    expect(house.running).toBe(2);
  });

  it('time is short until the first chunk opens, and bounded until the last is here', async () => {
    vi.useFakeTimers();
    const house = admission({ openMs: 20, arriveMs: 60 });
    const silent = house.enter();
    const slow = house.enter();
    slow.opened();
    await vi.advanceTimersByTimeAsync(40);
    expect(codeFrom(silent.signal)).toBe('ENCLAVE_TIME_LIMIT');
    expect(slow.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(60);
    expect(codeFrom(slow.signal)).toBe('ENCLAVE_TIME_LIMIT');
    const whole = house.enter();
    whole.opened();
    whole.received();
    await vi.advanceTimersByTimeAsync(90);
    expect(whole.signal.aborted).toBe(false);
    expect([house.arriving, house.running]).toEqual([0, 1]);
  });

  it('the body fails with the reason when the place is taken away', async () => {
    const house = admission({ openMs: 20 });
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) });
    await expect(arrivingBody(body, house.enter()).getReader().read()).rejects.toMatchObject({
      code: 'ENCLAVE_TIME_LIMIT',
    });
    expect(cancelled).toBe(true);
  });
});
