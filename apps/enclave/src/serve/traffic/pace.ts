/** Time as traffic shaping sees it: milliseconds of a clock that only goes forward, and a wait. */
export interface Pace {
  readonly now: () => number;
  /** Resolves after `milliseconds`, or at once when `signal` fires. */
  readonly wait: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

export const realPace: Pace = Object.freeze({
  now: () => performance.now(),
  wait: async (milliseconds: number, signal?: AbortSignal) => {
    if (!(milliseconds > 0) || signal?.aborted === true) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end, { once: true });
    await promise;
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  },
});

/** The first multiple of `step` after `began` that is not in the past. */
export function nextStep(began: number, now: number, step: number): number {
  return began + Math.max(1, Math.ceil((now - began) / step)) * step;
}
