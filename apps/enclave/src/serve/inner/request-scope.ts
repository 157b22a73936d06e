import { collect } from '@fastness/channel';
import { nestsDeeper } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';
import { ApiError, parseRequest } from './api-error.ts';
import type { ApiContext } from './context.ts';
import type { ApiLimits } from './limits.ts';
import type { Pass } from '../../access/pass.ts';

/** A request's time to live: it ends by the time limit, the loss of the lease, or the client going away. */
export interface RequestScope {
  readonly signal: AbortSignal;
  /** Of the tenant, who pays. */
  readonly pass: Pass;
  readonly cancel: (reason: unknown) => void;
  /** Call when the answer is complete; nothing fires afterwards. */
  readonly done: () => void;
}

export function requestScope(
  request: Request,
  { lease, limits }: Pick<ApiContext, 'lease' | 'limits'>,
  pass: Pass,
): RequestScope {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new FastnessError('ENCLAVE_TIME_LIMIT', `${limits.requestSeconds} seconds.`)),
    limits.requestSeconds * 1000,
  );
  const signal = AbortSignal.any([controller.signal, lease, request.signal]);
  // Nobody may read the answer any more, so nobody may be there to call `done`.
  signal.addEventListener('abort', () => pass.leave(), { once: true });
  return {
    signal,
    pass,
    cancel: (reason) => controller.abort(reason),
    done: () => {
      clearTimeout(timer);
      pass.leave();
    },
  };
}

/** What the engine was asked to do; a refusal before it began, and a failure of its own, cost the tenant nothing. */
export async function started<T>(work: () => Promise<T>, { signal, pass }: RequestScope): Promise<T> {
  pass.began();
  try {
    return await work();
  } catch (error) {
    if (!signal.aborted) pass.free();
    throw error;
  }
}

/**
 * Arrays and objects inside each other. Schemas of tools and answers are handed on as they are, and what reads them calls
 * itself for every level: a server whose stack ends there ends with it, and with the requests of everybody.
 */
const MAX_DEPTH = 64;

function tooDeep(): ApiError {
  return new ApiError(new FastnessError('ENCLAVE_REQUEST', `The body nests deeper than ${MAX_DEPTH} levels.`));
}

/** Reads, bounds and checks a JSON body. */
export async function readRequest<T>(
  request: Request,
  schema: z.ZodType<T>,
  { limits, pass }: { readonly limits: ApiLimits; readonly pass: Pass },
): Promise<T> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new ApiError(new FastnessError('ENCLAVE_REQUEST', 'The body must be application/json.'), { status: 415 });
  }
  const bytes = request.body === null ? new Uint8Array(0) : await collect(request.body, limits.bodyBytes);
  if (bytes === undefined) {
    throw new ApiError(new FastnessError('ENCLAVE_TOO_LARGE', `At most ${limits.bodyBytes} bytes.`), { status: 413 });
  }
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (nestsDeeper(text, MAX_DEPTH)) throw tooDeep();
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError(new FastnessError('ENCLAVE_REQUEST', 'The body is not JSON in UTF-8.'));
  }
  pass.bytes = bytes.length;
  return parseRequest(schema, value);
}
