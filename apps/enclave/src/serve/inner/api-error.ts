import { FastnessError, type ErrorClass, type ErrorCode } from '@fastness/codec/errors';
import type { z } from 'zod';
import { jsonResponse } from './padding.ts';

interface RefusalOptions {
  readonly param?: string;
  readonly status?: number;
  readonly retryAfter?: number;
  readonly code?: string;
}

/** What OpenAI calls some of ours; its clients act on these names. */
const openAiCodes: Readonly<Partial<Record<ErrorCode, string>>> = Object.freeze({
  ENCLAVE_CONTEXT_LENGTH: 'context_length_exceeded',
  ENCLAVE_MODEL_UNKNOWN: 'model_not_found',
  ENCLAVE_API_KEY: 'invalid_api_key',
  ENCLAVE_TENANT_REQUESTS: 'rate_limit_exceeded',
  ENCLAVE_TENANT_TOKENS: 'rate_limit_exceeded',
  ENCLAVE_TENANT_CONCURRENT: 'rate_limit_exceeded',
});

/** A refusal of the inner API: an error of the registry, the parameter at fault, and a status where the class has another. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly error: FastnessError;
  readonly param: string | null;
  readonly status: number;
  /** OpenAI's own code for it, which its clients know. */
  readonly openAiCode: string | undefined;
  /** Seconds after which the same request may be answered. */
  readonly retryAfter: number | undefined;

  constructor(error: FastnessError, options: RefusalOptions = {}) {
    super(error.message);
    this.error = error;
    this.param = options.param ?? null;
    this.status = options.status ?? error.httpStatus;
    this.openAiCode = options.code ?? openAiCodes[error.code];
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

/**
 * The shape of OpenAI's errors. `code` is OpenAI's where it has one, else ours; `fastness_code` is always the code of the
 * registry. Nothing that is not a stated error leaves the enclave.
 */
export function errorBody(cause: unknown): { status: number; body: { error: Record<string, string | null> } } {
  const refusal = cause instanceof ApiError ? cause : new ApiError(knownError(cause));
  const { error, param, status, openAiCode } = refusal;
  const message = `${error.message} ${error.next}`;
  const code = openAiCode ?? error.code;
  return { status, body: { error: { message, type: types[error.class], param, code, fastness_code: error.code } } };
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

/**
 * Checks a body. What is wrong is said of the first member that is: its path and what was expected, never its value.
 * @throws ApiError ENCLAVE_REQUEST
 */
export function parseRequest<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, why, code } = faultOf(result.error.issues[0], value);
  const param = path.slice(0, 100);
  const detail = `${param === '' ? 'The body' : param}: ${why}.`;
  throw new ApiError(new FastnessError('ENCLAVE_REQUEST', detail), { code, ...(param === '' ? {} : { param }) });
}

type Issue = z.core.$ZodIssue;

function faultOf(issue: Issue | undefined, value: unknown): { path: string; why: string; code: string } {
  if (issue === undefined) return { path: '', why: 'not as expected', code: 'invalid_value' };
  const { found, path } = deepest(issue);
  if (found.code === 'unrecognized_keys') {
    const key = found.keys[0] ?? '';
    return { path: written([...path, key]), why: 'not supported', code: 'unsupported_parameter' };
  }
  const at = written(path);
  if (valueAt(value, path) === undefined) return { path: at, why: 'missing', code: 'missing_required_parameter' };
  // Of a union that is told by types alone, none fits.
  const untold = found.code === 'invalid_union' && found.message === 'Invalid input';
  const why = untold ? 'of a type that is not read here' : found.message.replace(/^Invalid input: /u, '');
  if (untold || found.code === 'invalid_type') return { path: at, why, code: 'invalid_type' };
  const unsupported = found.code === 'invalid_value' || found.code === 'invalid_union';
  return { path: at, why, code: unsupported ? 'unsupported_value' : 'invalid_value' };
}

/** Of the alternatives of a union, the one that got furthest says what is wrong. */
function deepest(issue: Issue): { found: Issue; path: PropertyKey[] } {
  let found = issue;
  const path = [...issue.path];
  while (found.code === 'invalid_union') {
    const [best] = found.errors
      .flatMap(([first]) => (first === undefined || isOtherType(first) ? [] : [first]))
      .toSorted((a, b) => b.path.length - a.path.length);
    if (best === undefined) break;
    found = best;
    path.push(...best.path);
  }
  return { found, path };
}

/** The alternative is for values of another type, and says nothing about this one. */
function isOtherType({ code, path }: Issue): boolean {
  return code === 'invalid_type' && path.length === 0;
}

/** As OpenAI writes it: messages[0].content. */
function written(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, part) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, part) : undefined),
    value,
  );
}
