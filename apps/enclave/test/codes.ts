import { FastnessError, type ErrorCode } from '@fastness/codec/errors';

/** The code that `work` throws; fails when it throws something else, or nothing. */
export function codeOf(work: () => unknown): ErrorCode {
  try {
    work();
  } catch (error) {
    if (error instanceof FastnessError) return error.code;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export async function codeOfAsync(work: Promise<unknown>): Promise<ErrorCode> {
  try {
    await work;
  } catch (error) {
    if (error instanceof FastnessError) return error.code;
    throw error;
  }
  throw new Error('nothing was thrown');
}
