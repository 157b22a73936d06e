import { collect } from '@fastness/channel';
import {
  challengeSchema,
  keyReleaseResponseSchema,
  parseWireJson,
  wireLimits,
  type Challenge,
  type KeyReleaseRequest,
  type KeyReleaseResponse,
} from '@fastness/channel/wire';
import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';

/** The two calls that an enclave makes. */
export interface BrokerClient {
  challenge(signal: AbortSignal): Promise<Challenge>;
  releaseKey(request: KeyReleaseRequest, signal: AbortSignal): Promise<KeyReleaseResponse>;
}

const TIMEOUT_MS = 15_000;

/**
 * Both calls throw ENCLAVE_BROKER_UNAVAILABLE when nothing sensible answers, ENCLAVE_BROKER_ANSWER for an answer that
 * does not follow its schema, and the broker's own error when it refuses.
 *
 * Nothing here is trusted: the host may sit in between, with or without TLS. Keys come sealed to the enclave, leases
 * signed; forged refusals keep the enclave from serving, which the host can do anyway.
 */
export function createBrokerClient(options: { url: string; fetch: typeof globalThis.fetch }): BrokerClient {
  const base = options.url.endsWith('/') ? options.url : `${options.url}/`;
  const post = async <T>(
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    limit: number,
    signal: AbortSignal,
  ): Promise<T> => {
    let status: number;
    let bytes: Uint8Array | undefined;
    try {
      const response = await options.fetch(new URL(path, base), {
        method: 'POST',
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      status = response.status;
      bytes = response.body === null ? new Uint8Array(0) : await collect(response.body, limit);
    } catch (cause) {
      signal.throwIfAborted();
      throw new FastnessError('ENCLAVE_BROKER_UNAVAILABLE', undefined, { cause });
    }
    if (bytes === undefined) throw new FastnessError('ENCLAVE_BROKER_ANSWER', `More than ${limit} bytes.`);
    if (status !== 200) throw refusal(status, bytes);
    try {
      return parseWireJson(schema, bytes, limit);
    } catch (cause) {
      throw new FastnessError('ENCLAVE_BROKER_ANSWER', cause instanceof FastnessError ? cause.detail : undefined, {
        cause,
      });
    }
  };
  return {
    challenge: (signal) => post('v1/challenges', undefined, challengeSchema, wireLimits.challenge, signal),
    releaseKey: (request, signal) =>
      post('v1/key-releases', request, keyReleaseResponseSchema, wireLimits.keyReleaseResponse, signal),
  };
}

/** A problem document of a Fastness service; anything else came from something in between. */
function refusal(status: number, bytes: Uint8Array): FastnessError {
  try {
    const error = FastnessError.fromProblem(JSON.parse(new TextDecoder().decode(bytes)));
    if (error !== undefined) return error;
  } catch {
    // Not JSON: no problem document.
  }
  return new FastnessError('ENCLAVE_BROKER_UNAVAILABLE', `It answered with status ${status} and no reason.`);
}
