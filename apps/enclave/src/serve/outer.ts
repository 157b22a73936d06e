import { FastnessError } from '@fastness/codec/errors';
import type { CollectEvidence } from '../boot/request-key.ts';
import { errorFields, type Log } from '../log.ts';
import { attest } from './attestation.ts';
import { Admission, arrivingBody, type AdmissionLimits } from './admission.ts';
import { answerSealed } from './channel.ts';
import type { Quota } from './quota.ts';
import type { Serving } from './serving.ts';

export interface OuterOptions {
  /** Throws ENCLAVE_NOT_SERVING or ENCLAVE_LEASE_LOST. */
  readonly serving: () => Serving;
  readonly health: () => { readonly healthy: boolean; readonly body: object };
  readonly collect: CollectEvidence;
  readonly quota: Quota;
  readonly admission: AdmissionLimits;
  /** Milliseconds that a reader of an answer may pause. */
  readonly stallMs: number;
  readonly log: Log;
}

const paths: ReadonlyMap<string, string> = new Map([
  ['/attestation', 'POST'],
  ['/ohttp', 'POST'],
  ['/health', 'GET'],
]);

/**
 * What the network sees: three paths. Whoever carries the requests learns their sizes and times; content is inside the
 * channel. Errors are problem documents (RFC 9457).
 */
export function createOuter(options: OuterOptions): (request: Request) => Promise<Response> {
  const admission = new Admission(options.admission);
  const sealed = async (request: Request): Promise<Response> => {
    const serving = options.serving();
    serving.lease.assertHeld();
    const place = admission.enter();
    try {
      return await answerSealed({ request, serving, place, stallMs: options.stallMs });
    } catch (error) {
      place.leave();
      throw error;
    }
  };
  // Asking for an attestation holds no engine, so it takes no place in that house; being slow about it is as short.
  const asking = new Admission({ ...options.admission, concurrent: Number.POSITIVE_INFINITY });
  const attestation = async (request: Request): Promise<Response> => {
    const serving = options.serving();
    const place = asking.enter();
    try {
      const body = request.body === null ? null : arrivingBody(request.body, place);
      return json(await attest(body, serving, options.collect, options.quota), 200);
    } finally {
      place.leave();
    }
  };
  return async (request) => {
    try {
      const { pathname } = new URL(request.url);
      const method = paths.get(pathname);
      if (method === undefined) return problem(new FastnessError('ENCLAVE_ROUTE'), 404);
      if (method !== request.method)
        return problem(new FastnessError('ENCLAVE_ROUTE', `Use ${method}.`), 405, { allow: method });
      if (pathname === '/health') {
        const { healthy, body } = options.health();
        return json(body, healthy ? 200 : 503);
      }
      if (pathname === '/ohttp') return await sealed(request);
      return await attestation(request);
    } catch (error) {
      if (error instanceof FastnessError) {
        if (error.class === 'internal') options.log('error', 'request-failed', errorFields(error));
        return problem(error);
      }
      options.log('error', 'request-failed', errorFields(error));
      return problem(new FastnessError('ENCLAVE_ENGINE_FAILED'));
    }
  };
}

function json(body: object, status: number): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  });
}

function problem(error: FastnessError, status = error.httpStatus, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ ...error.toProblem(), status }), {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
  });
}
