import type { StreamSource } from '@fastness/channel';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { whenClosed } from '../src/serve/watched-stream.ts';
import { codeOfAsync } from './codes.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('gives a producer all the time it needs, and a reader that is gone no more than its own', async () => {
  const done = vi.fn();
  const cancel = vi.fn(async () => {});
  const produce: StreamSource['next'] = () =>
    new Promise((resolve) => setTimeout(() => resolve(Uint8Array.of(1)), 500));
  const stream = whenClosed({ next: produce, cancel }, done, 300);
  for (let part = 0; part < 3; part++) {
    const next = stream.next();
    await vi.advanceTimersByTimeAsync(500);
    expect(await next).toEqual(Uint8Array.of(1));
    await vi.advanceTimersByTimeAsync(299);
  }
  expect(done).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(done).toHaveBeenCalledTimes(1);
  expect(cancel).toHaveBeenCalledTimes(1);
  expect(await codeOfAsync(stream.next())).toBe('ENCLAVE_TIME_LIMIT');
});
