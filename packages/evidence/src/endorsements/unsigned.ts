import { utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { EndorsementServices } from './services.ts';
import type { EndorsementRequest } from './types.ts';

/** A document does not say when it was made; nothing is compared with this. */
const UNDATED = new Date(0);
const HOUR_MS = 3600 * 1000;

/**
 * A document that no vendor signs: key sets, status lists. The TLS connection it came over is all that vouches for it, so
 * that it is never carried in a bundle, kept only in a cache with a key, and used for an hour at most; what it may decide
 * is for the verifier to say, which pins keys and treats it as transport.
 */
export function unsignedRequest(options: {
  readonly subject: string;
  readonly mediaType: string;
  readonly maxBytes: number;
  readonly url: (services: EndorsementServices) => URL;
  readonly plainHost?: string;
  /** Throws for a body that is not what the service promises. */
  readonly check: (body: Uint8Array) => void;
}): EndorsementRequest {
  const { check, ...rest } = options;
  return Object.freeze<EndorsementRequest>({
    ...rest,
    signed: false,
    replaceable: true,
    refreshAfterMs: HOUR_MS,
    receive: ({ body }) => ({ body, issuerChain: [] }),
    judge: async ({ body }) => {
      check(body);
      return Promise.resolve({ issued: UNDATED });
    },
  });
}

/** Reads a JSON object. Throws ENDORSEMENT_RESPONSE. */
export function jsonObject(what: string, body: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(utf8Decode(body));
  } catch (cause) {
    throw new FastnessError('ENDORSEMENT_RESPONSE', `${what}: not JSON.`, { cause });
  }
  if (!isRecord(value)) throw new FastnessError('ENDORSEMENT_RESPONSE', `${what}: not a JSON object.`);
  return value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
