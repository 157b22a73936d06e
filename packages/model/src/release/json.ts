import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { nestsDeeper } from '@fastness/codec';
import type { z } from 'zod';

/** Nothing that is signed or approved here nests deeper than a handful. */
const MAX_DEPTH = 32;

/**
 * Reads JSON text of a known shape. `code` is thrown for text that is too long (characters), is no JSON, or has
 * another shape; the detail names the place, never the content, which anyone may have written.
 */
export function parseJsonText<T>(
  text: string,
  options: {
    readonly schema: z.ZodType<T>;
    readonly maxLength: number;
    readonly code: ErrorCode;
    readonly what: string;
  },
): T {
  const { schema, maxLength, code, what } = options;
  if (text.length > maxLength) throw new FastnessError(code, `${what} has ${text.length} characters.`);
  if (nestsDeeper(text, MAX_DEPTH)) throw new FastnessError(code, `${what} nests too deep.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FastnessError(code, `${what} is not JSON.`);
  }
  return parseShape(value, { schema, code, what });
}

/** As `parseJsonText`, for a value that is already parsed. */
export function parseShape<T>(
  value: unknown,
  { schema, code, what }: { readonly schema: z.ZodType<T>; readonly code: ErrorCode; readonly what: string },
): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0]?.path.map(String).join('.') ?? '';
  throw new FastnessError(code, path.length === 0 ? `${what} has another shape.` : `${what}: at ${path.slice(0, 80)}.`);
}
