import { FastnessError, type ErrorClass } from '@fastness/codec/errors';
import type { z } from 'zod';
import { jsonResponse } from './padding.ts';

/** A refusal of the inner API: an error of the registry, the parameter at fault, and a status where the class has another. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly error: FastnessError;
  readonly param: string | null;
  readonly status: number;
  /** Seconds after which the same request may be answered. */
  readonly retryAfter: number | undefined;

  constructor(error: FastnessError, options: { param?: string; status?: number; retryAfter?: number } = {}) {
    super(error.message);
    this.error = error;
    this.param = options.param ?? null;
    this.status = options.status ?? error.httpStatus;
    this.retryAfter = options.retryAfter;
  }
}

const types: Readonly<Record<ErrorClass, string>> = Object.freeze({
  usage: 'invalid_request_error',
  'not-mine': 'invalid_request_error',
  invalid: 'invalid_request_error',
  denied: 'permission_error',
  unauthorized: 'authentication_error',
  unavailable: 'server_error',
  conflict: 'invalid_request_error',
  limit: 'rate_limit_error',
  internal: 'server_error',
});

/** The shape of OpenAI's errors; `code` is a code of the registry. Nothing that is not a stated error leaves the enclave. */
export function errorBody(cause: unknown): { status: number; body: { error: Record<string, string | null> } } {
  const refusal = cause instanceof ApiError ? cause : new ApiError(knownError(cause));
  const { error, param, status } = refusal;
  const message = `${error.message} ${error.next}`;
  return { status, body: { error: { message, type: types[error.class], param, code: error.code } } };
}

export function errorResponse(cause: unknown): Response {
  const { status, body } = errorBody(cause);
  const response = jsonResponse(body, status);
  const retryAfter = cause instanceof ApiError ? cause.retryAfter : undefined;
  if (retryAfter !== undefined) response.headers.set('retry-after', String(retryAfter));
  return response;
}

function knownError(cause: unknown): FastnessError {
  return cause instanceof FastnessError ? cause : new FastnessError('ENCLAVE_ENGINE_FAILED', undefined, { cause });
}

/** Names the field and what is wrong with it, never its value. */
export function parseRequest<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const param = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])]
    .map(String)
    .join('.')
    .slice(0, 100);
  const why = unknown === undefined ? `is not as expected (${issue?.code ?? 'invalid'})` : 'is not supported';
  throw new ApiError(new FastnessError('ENCLAVE_REQUEST', `${param === '' ? 'The body' : param} ${why}.`), { param });
}
