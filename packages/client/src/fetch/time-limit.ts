import { FastnessError } from '@fastness/codec/errors';

/** The longest time a timer of every platform can wait, milliseconds. */
const longest = 2_147_483_647;

/** An option in milliseconds. Throws `CLIENT_OPTION_INVALID`. */
export function timeOption(name: string, value: number | undefined, standard: number): number {
  const time = value ?? standard;
  if (time >= 1 && time <= longest) return time;
  throw new FastnessError('CLIENT_OPTION_INVALID', `${name} must be from 1 to ${longest}.`);
}

/**
 * Runs `work` until it ends, `signal` aborts or the time is over, also when what `work` waits for ignores the signal it is
 * given. That signal follows `signal` for as long as `work` keeps it; the time limit ends with this call.
 * @throws FastnessError `CLIENT_TIMEOUT`; what `signal` aborts with; what `work` throws
 */
export async function withinTime<T>(
  limit: { readonly ms: number; readonly what: string; readonly signal: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { ms, what, signal: outer } = limit;
  const late = new AbortController();
  const signal = outer === undefined ? late.signal : AbortSignal.any([outer, late.signal]);
  const timer = setTimeout(() => {
    late.abort(new FastnessError('CLIENT_TIMEOUT', `${what} took more than ${ms} ms.`));
  }, ms);
  try {
    return await unlessAborted(work(signal), signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for `work` or for the abort of this one caller: others may wait for the same work. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  // Whoever stops waiting leaves an outcome that nobody looks at.
  work.catch(() => undefined);
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
