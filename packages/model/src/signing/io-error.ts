import { FastnessError } from '@fastness/codec/errors';

/** A system error as OMS_IO; what is already typed, and programming errors, as they are. */
export function asOmsError(error: unknown): unknown {
  const code = systemCode(error);
  return code === undefined ? error : new FastnessError('OMS_IO', `(${code})`, { cause: error });
}

/** ENOENT and its like; undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof FastnessError || !(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
