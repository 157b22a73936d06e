import { ehbpKeyProblem } from '@fastness/channel';
import { wireLimits } from '@fastness/channel/wire';
import { FastnessError } from '@fastness/codec/errors';
import type { CollectEvidence } from '../boot/request-key.ts';
import { errorFields, type Log } from '../log.ts';
import type { BatchLimits } from './attestation-batches.ts';
import { createAttestation } from './attestation.ts';
import { Admission, type AdmissionLimits } from './admission.ts';
import { answerSealed } from './channel.ts';
import { answerEhbp } from './ehbp.ts';
import { boundTlsOf } from './direct-tls.ts';
import type { Serving } from './serving.ts';
import { defaultUnopenedBytes, UnopenedRoom } from './unopened-room.ts';
import type { WholeAnswer, WholeRoute } from './whole-message.ts';

export interface OuterOptions {
  /** Throws ENCLAVE_NOT_SERVING or ENCLAVE_LEASE_LOST. */
  readonly serving: () => Serving;
  readonly health: () => { readonly healthy: boolean; readonly body: object };
  readonly collect: CollectEvidence;
  readonly attestation: BatchLimits;
  readonly admission: AdmissionLimits;
  /** Milliseconds that a reader of an answer may pause. */
  readonly stallMs: number;
  /** Bytes of requests that open only when all of them is here. Default: 64 MiB. */
  readonly unopenedBytes?: number;
  readonly log: Log;
}

export interface Outer {
  readonly handler: (request: Request) => Promise<Response>;
  /** What the listener answers in one piece. */
  readonly whole: ReadonlyMap<string, WholeRoute>;
}

/** By which a client of EHBP is told to ask for the keys again; it looks at type and status alone. */
const otherKey: ReadonlySet<string> = new Set(['CHANNEL_KEY_UNKNOWN', 'CHANNEL_REQUEST_UNOPENABLE']);

const paths: ReadonlyMap<string, string> = new Map([
  ['/attestation', 'POST'],
  ['/ohttp', 'POST'],
  ['/health', 'GET'],
]);

/**
 * What the network sees: three paths. Whoever carries the requests learns their sizes and times; content is inside the
 * channel. Errors are problem documents (RFC 9457).
 */
export function createOuter(options: OuterOptions): Outer {
  const admission = new Admission(options.admission);
  const unopened = new UnopenedRoom(options.unopenedBytes ?? defaultUnopenedBytes);
  const sealed = async (request: Request, answer: typeof answerSealed): Promise<Response> => {
    const serving = options.serving();
    serving.lease.assertHeld();
    const place = admission.enter();
    try {
      return await answer({
        request,
        serving,
        place,
        stallMs: options.stallMs,
        unopened,
        told: (error) => told(error, options.log),
      });
    } catch (error) {
      place.leave();
      throw error;
    }
  };
  // Asking for an attestation holds no engine, so it takes no place in that house; being slow about it is as short.
  const asking = new Admission({ ...options.admission, concurrent: Number.POSITIVE_INFINITY });
  const { serving, collect } = options;
  const attest = createAttestation({ serving, collect, limits: options.attestation });
  const refuse = (error: unknown): WholeAnswer => problemText(told(error, options.log));
  const attestation: WholeRoute = {
    limit: wireLimits.attestationRequest,
    enter: () => {
      serving();
      return asking.enter();
    },
    answer: async (body, signal, socket) => ({
      status: 200,
      headers: jsonHeaders,
      body: await attest(body, signal, () => boundTlsOf(socket)),
    }),
    refuse,
  };
  const ehbp = async (request: Request): Promise<Response> => {
    if (request.method !== 'POST') {
      return problem(new FastnessError('ENCLAVE_ROUTE', 'Use POST.'), 405, { allow: 'POST' });
    }
    try {
      return await sealed(request, answerEhbp);
    } catch (error) {
      const known = told(error, options.log);
      if (!otherKey.has(known.code)) return problem(known);
      return problem(known, 422, {}, { type: ehbpKeyProblem });
    }
  };
  const handler = async (request: Request): Promise<Response> => {
    try {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith('/v1/') && serving().ring.protocols.has('ehbp')) {
        return await ehbp(request);
      }
      const method = paths.get(pathname);
      if (method === undefined) return problem(new FastnessError('ENCLAVE_ROUTE'), 404);
      if (method !== request.method)
        return problem(new FastnessError('ENCLAVE_ROUTE', `Use ${method}.`), 405, { allow: method });
      if (pathname === '/health') {
        const { healthy, body } = options.health();
        return json(body, healthy ? 200 : 503);
      }
      if (pathname === '/ohttp') return await sealed(request, answerSealed);
      // The exact path with a query, or so: the listener knows only the path itself.
      return problem(new FastnessError('ENCLAVE_ROUTE'), 404);
    } catch (error) {
      return problem(told(error, options.log));
    }
  };
  return { handler, whole: new Map([['POST /attestation', attestation]]) };
}

/** What may be said of an error to the network; what nobody foresaw goes into the log. */
function told(error: unknown, log: Log): FastnessError {
  const known = error instanceof FastnessError;
  if (!known || error.class === 'internal') log('error', 'request-failed', errorFields(error));
  return known ? error : new FastnessError('ENCLAVE_ENGINE_FAILED');
}

const jsonHeaders = { 'content-type': 'application/json', 'cache-control': 'no-store' };

function json(body: object, status: number): Response {
  return new Response(JSON.stringify(body), { status, headers: jsonHeaders });
}

function problem(
  error: FastnessError,
  status = error.httpStatus,
  headers: Record<string, string> = {},
  members: { readonly type?: string } = {},
): Response {
  const whole = problemText(error, status, members);
  return new Response(whole.body, { status, headers: { ...whole.headers, ...headers } });
}

function problemText(
  error: FastnessError,
  status = error.httpStatus,
  members: { readonly type?: string } = {},
): WholeAnswer {
  return {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    body: JSON.stringify({ ...error.toProblem(), ...members, status }),
  };
}
