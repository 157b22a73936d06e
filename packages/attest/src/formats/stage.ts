import { FastnessError } from '@fastness/codec/errors';

/** What a stage of every format asks first. Callers may be plain JavaScript: what they hand over can be anything. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** The error of a value that no earlier stage made: `what` is not from `stage`, as in `The quote`, `parse() of this TEE`. */
export function stageSkipped(what: string, stage: string): FastnessError {
  return new FastnessError('ATTEST_STAGE_SKIPPED', `${what} does not come from ${stage}.`);
}
