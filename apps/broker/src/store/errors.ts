import { FastnessError, type ErrorCode } from '@fastness/codec/errors';

/** What a SQLSTATE (PostgreSQL, appendix A), or the first two characters of it, says about a failed statement. */
const byState: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ['40', 'BROKER_STORE_BUSY'], // serialization failure, deadlock: after the last try
  ['55P03', 'BROKER_STORE_BUSY'], // lock not available
  ['57014', 'BROKER_STORE_BUSY'], // statement timeout
  ['53300', 'BROKER_STORE_BUSY'], // too many connections
  ['25P03', 'BROKER_STORE_BUSY'], // idle in transaction for too long
  ['25006', 'BROKER_STORE_UNSAFE'], // read only: a standby, or a primary that was demoted
  ['08', 'BROKER_STORE_UNREACHABLE'],
  ['57P', 'BROKER_STORE_UNREACHABLE'], // the server is shutting down or starting
  ['28', 'BROKER_STORE_ACCESS'],
  ['3D000', 'BROKER_STORE_ACCESS'], // no such database
  ['3F000', 'BROKER_STORE_ACCESS'], // no such schema
  ['42501', 'BROKER_STORE_ACCESS'], // insufficient privilege
  ['42P01', 'BROKER_STORE_DAMAGED'], // a table is missing
  ['42703', 'BROKER_STORE_DAMAGED'], // a column is missing
]);

const networkCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
]);

/** What the driver says without a code; there is nothing else to tell these by. */
const driverMessages: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^timeout exceeded when trying to connect|^Query read timeout/, 'BROKER_STORE_BUSY'],
  [/^Connection terminated|^Client has encountered a connection error|not queryable/, 'BROKER_STORE_UNREACHABLE'],
  [/does not support SSL|self-signed certificate|certificate/, 'BROKER_STORE_ACCESS'],
];

/** The five characters by which PostgreSQL names a kind of error; undefined for errors of anything else. */
function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !networkCodes.has(code) ? code : undefined;
}

/** Whether the same transaction, run again from its start, may succeed: it lost against another one. */
export function isSerializationFailure(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === '40001' || state === '40P01';
}

/** An error of a database as a FastnessError; those pass as they are. The cause is kept, for the log of the process. */
export function storeError(cause: unknown): FastnessError {
  if (cause instanceof FastnessError) return cause;
  const state = sqlStateOf(cause);
  if (state !== undefined) {
    const code = byState.get(state) ?? byState.get(state.slice(0, 3)) ?? byState.get(state.slice(0, 2));
    return new FastnessError(code ?? 'BROKER_STORE', `SQLSTATE ${state}.`, { cause });
  }
  const code = codeOf(cause);
  if (code !== undefined && networkCodes.has(code)) {
    return new FastnessError('BROKER_STORE_UNREACHABLE', `${code}.`, { cause });
  }
  const message = cause instanceof Error ? cause.message : '';
  const known = driverMessages.find(([pattern]) => pattern.test(message));
  return new FastnessError(known?.[1] ?? 'BROKER_STORE', undefined, { cause });
}

function codeOf(error: unknown): string | undefined {
  // A connection that was tried at several addresses gives one error for all of them.
  const one: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (typeof one !== 'object' || one === null || !('code' in one)) return undefined;
  return typeof one.code === 'string' ? one.code : undefined;
}
