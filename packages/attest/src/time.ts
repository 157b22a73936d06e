import { FastnessError } from '@fastness/codec/errors';

/**
 * The time as of which something is verified, in a copy that the caller cannot change while digests and signatures are
 * computed. A text or a number is no time here: its zone or unit would be a guess. Throws ATTEST_ARGUMENT_INVALID.
 */
export function requireTime(now: Date): Date {
  if (!(now instanceof Date) || Number.isNaN(now.getTime()))
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'now must be a valid date.');
  return new Date(now);
}

const texts = new WeakMap<Date, { readonly time: number; readonly text: string }>();

/** The time in ISO 8601. The dates of what a cache keeps are written for every verification, so their text is kept too. */
export function isoOf(date: Date): string {
  const time = date.getTime();
  const known = texts.get(date);
  if (known?.time === time) return known.text;
  const text = date.toISOString();
  texts.set(date, { time, text });
  return text;
}
