import { ByteParts } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';

/**
 * Reads a JSON body of at most `limit` bytes and checks it against its schema. Reading stops at the limit, whatever length
 * was announced. Throws `BROKER_MEDIA_TYPE`, `BROKER_BODY_LIMIT`, `BROKER_REQUEST_INVALID`; the detail names places in the
 * body, never their values.
 */
export async function readJsonBody<T>(request: Request, schema: z.ZodType<T>, limit: number): Promise<T> {
  requireJson(request);
  return checkShape(schema, parseJson(await readBody(request, limit)));
}

/** As `readJsonBody`, but integers that a JavaScript number cannot hold exactly arrive as `bigint`. */
export async function readJsonWithIntegers<T>(request: Request, schema: z.ZodType<T>, limit: number): Promise<T> {
  requireJson(request);
  return checkShape(schema, parseJson(await readBody(request, limit), exactInteger));
}

/** Reads a body that says nothing: absent, or an empty JSON object. Throws as `readJsonBody` does. */
export async function readEmptyBody(request: Request, limit: number): Promise<void> {
  const text = new TextDecoder().decode(await readBody(request, limit)).trim();
  if (text !== '' && text !== '{}') throw new FastnessError('BROKER_REQUEST_INVALID', 'The body must be empty or {}.');
}

/** Throws `BROKER_REQUEST_INVALID`. */
export function checkShape<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const places = result.error.issues.slice(0, 4).map((issue) => `/${issue.path.map(String).join('/')} ${issue.code}`);
  throw new FastnessError('BROKER_REQUEST_INVALID', `At ${places.join(', ').slice(0, 300)}.`);
}

function requireJson(request: Request): void {
  const essence = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (essence !== 'application/json' || request.headers.has('content-encoding'))
    throw new FastnessError('BROKER_MEDIA_TYPE');
}

/** A reviver of JSON that reads the text of a number again where the number is not exact. */
function exactInteger(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  const inexact = typeof value === 'number' && !Number.isSafeInteger(value);
  return inexact && /^\d{1,20}$/.test(context?.source ?? '') ? BigInt(context?.source ?? '') : value;
}

function parseJson(bytes: Uint8Array, reviver?: typeof exactInteger): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), reviver);
  } catch {
    // Without the cause: its message quotes the body.
    throw new FastnessError('BROKER_REQUEST_INVALID', 'Not JSON in UTF-8.');
  }
}

async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  const tooLarge = (): FastnessError => new FastnessError('BROKER_BODY_LIMIT', `At most ${limit} bytes.`);
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const parts = new ByteParts();
  for await (const part of request.body) {
    parts.push(part);
    if (parts.length > limit) throw tooLarge();
  }
  return parts.join();
}
