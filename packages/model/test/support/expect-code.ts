import { FastnessError, type ErrorCode } from '@fastness/codec/errors';

/** The code that `work` is refused with. Anything but a FastnessError, or success, is a failure of the test. */
export async function codeOf(work: () => unknown): Promise<ErrorCode> {
  try {
    await work();
  } catch (error) {
    if (error instanceof FastnessError) return error.code;
    throw error;
  }
  throw new Error('it was accepted');
}
