import { FastnessError, type ErrorCode } from '@fastness/codec/errors';

/** An error on its way between threads: which item of the job failed, and how. */
export interface JobFailure {
  readonly item: number;
  readonly code: ErrorCode;
  readonly detail?: string;
}

export function failureOf(item: number, error: unknown): JobFailure {
  if (error instanceof FastnessError) {
    return { item, code: error.code, ...(error.detail === undefined ? {} : { detail: error.detail }) };
  }
  return { item, code: 'SEAL_WORKER', detail: error instanceof Error ? error.name : typeof error };
}

/** The failure of the lowest item: the same one on every run, however many threads there were. */
export function firstFailure(failures: readonly JobFailure[]): FastnessError | undefined {
  const [first] = failures.toSorted((left, right) => left.item - right.item);
  return first === undefined ? undefined : new FastnessError(first.code, first.detail);
}
