import { FastnessError } from '@fastness/codec/errors';
import { expect } from 'vitest';

/** The error that `action` fails with. Anything but a FastnessError fails the test. */
export async function failureOf(action: () => unknown): Promise<FastnessError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof FastnessError) return error;
    throw new Error(`Not a FastnessError: ${String(error)}`, { cause: error });
  }
  throw new Error('Nothing was thrown.');
}

export async function expectCode(action: () => unknown, code: string): Promise<void> {
  expect((await failureOf(action)).code).toBe(code);
}
