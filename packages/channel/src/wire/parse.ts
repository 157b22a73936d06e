import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';

/**
 * Upper limits in bytes for the JSON texts of this package, for a reader to apply before it parses.
 */
export const wireLimits = Object.freeze({
  attestationRequest: 1024,
  attestationBundle: 8 * 1024 * 1024,
  challenge: 1024,
  keyReleaseRequest: 4 * 1024 * 1024,
  keyReleaseResponse: 256 * 1024,
} as const);

/**
 * Checks a value that came from JSON against its schema.
 * @throws FastnessError `CHANNEL_WIRE_MALFORMED`; the detail names the members at fault, never their values.
 */
export function parseWire<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const places = result.error.issues.slice(0, 4).map((issue) => `/${issue.path.map(String).join('/')} ${issue.code}`);
  throw new FastnessError('CHANNEL_WIRE_MALFORMED', `At ${places.join(', ').slice(0, 400)}.`);
}

/**
 * Parses JSON text of at most `limit` bytes (UTF-8) and checks it against its schema.
 * @throws FastnessError `CHANNEL_WIRE_TOO_LARGE` before anything is parsed, `CHANNEL_WIRE_MALFORMED`.
 */
export function parseWireJson<T>(schema: z.ZodType<T>, bytes: Uint8Array, limit: number): T {
  if (bytes.length > limit)
    throw new FastnessError('CHANNEL_WIRE_TOO_LARGE', `${bytes.length} bytes; at most ${limit}.`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw new FastnessError('CHANNEL_WIRE_MALFORMED', 'Not JSON in UTF-8.');
  }
  return parseWire(schema, value);
}
