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
