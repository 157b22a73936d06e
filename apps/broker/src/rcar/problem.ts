import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { fixedHeaders, problemStatus, publicError } from '../http/problem.ts';
import { RateLimitError } from '../limits.ts';

/** Names of errors as Trustee has them, for codes; everything else is an `AttestationError`. */
const variants: Partial<Record<ErrorCode, string>> = Object.freeze({
  RCAR_PATH_INVALID: 'InvalidRequestPath',
  BROKER_ROUTE_UNKNOWN: 'PluginNotFound',
  RCAR_TOKEN_MISSING: 'TokenNotFound',
  RCAR_SESSION_NOT_ATTESTED: 'TokenNotFound',
  RCAR_TOKEN_INVALID: 'TokenVerifierError',
  RCAR_TOKEN_EXPIRED: 'TokenVerifierError',
  RCAR_TOKEN_POLICY_CHANGED: 'TokenVerifierError',
  RCAR_RESOURCE_DENIED: 'PolicyDeny',
  RCAR_RESOURCE_UNKNOWN: 'PluginInternalError',
  RCAR_RESOURCE_UNUSABLE: 'PluginInternalError',
  BROKER_MEASUREMENT_REVOKED: 'PolicyDeny',
  BROKER_PLATFORM_REVOKED: 'PolicyDeny',
  LIFECYCLE_TCB_REVOKED: 'PolicyDeny',
});

/**
 * An error as guest components read it: a JSON object with type and detail, the detail beginning with our code. Its status is 401
 * for every refusal, 404 for a path that means nothing. What is no verdict about the guest keeps its own status (a limit, a
 * fault of the broker): with 401 guests attest again, and there it would not help.
 */
export function rcarProblem(error: unknown): Response {
  const told = publicError(error);
  const notFound = told.code === 'RCAR_PATH_INVALID' || told.code === 'BROKER_ROUTE_UNKNOWN';
  const ownStatus = ['limit', 'unavailable', 'internal'].includes(told.class);
  const status = notFound ? 404 : ownStatus ? problemStatus(told) : 401;
  const headers: Record<string, string> = { ...fixedHeaders, 'content-type': 'application/json' };
  if (error instanceof RateLimitError) headers['retry-after'] = String(error.retryAfterSeconds);
  const type = `https://github.com/confidential-containers/kbs/errors/${variants[told.code] ?? 'AttestationError'}`;
  return new Response(JSON.stringify({ type, detail: `${told.code}: ${told.message}` }), { status, headers });
}

/** The error of a path below `/kbs/v0` that is none of its routes. */
export function unknownPath(path: string): FastnessError {
  return new FastnessError(path.startsWith('/kbs/v0/resource/') ? 'RCAR_PATH_INVALID' : 'BROKER_ROUTE_UNKNOWN');
}
