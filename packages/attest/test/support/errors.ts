import { FastnessError, type ErrorCode } from '@fastness/codec/errors';

/** The code that an attempt fails with; `accepted` when it does not fail. An error of any other kind is a fault. */
export async function codeOf(attempt: Promise<unknown> | (() => unknown)): Promise<ErrorCode | 'accepted'> {
  try {
    await (typeof attempt === 'function' ? attempt() : attempt);
    return 'accepted';
  } catch (error) {
    if (error instanceof FastnessError) return error.code;
    throw error;
  }
}
