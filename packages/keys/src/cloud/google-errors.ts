import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { CloudOperation } from './backend.ts';
import { namesOf, networkFault } from './network-errors.ts';

/** Codes of google.rpc.Code. */
const codes: Readonly<Record<number, ErrorCode>> = Object.freeze({
  1: 'KEYS_CLOUD_ABORTED',
  4: 'KEYS_CLOUD_TIMEOUT',
  5: 'KEYS_CLOUD_NOT_FOUND',
  6: 'KEYS_ID_EXISTS',
  7: 'KEYS_CLOUD_DENIED',
  8: 'KEYS_CLOUD_THROTTLED',
  10: 'KEYS_CLOUD_CONFLICT',
  13: 'KEYS_CLOUD_UNAVAILABLE',
  14: 'KEYS_CLOUD_UNAVAILABLE',
  16: 'KEYS_CLOUD_CREDENTIALS',
});

/** The code of an error of Google's SDK. Nothing of its text goes on. */
export function googleFault(error: unknown, operation: CloudOperation): FastnessError {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
  const { name, status, message } = namesOf(error);
  if (code === undefined) return signInFault(message) ?? networkFault({ name, status, message });
  const detail = `(code ${code})`;
  // The SDK gives failures of the token exchange the codes of the call that waited for the token.
  const signIn = signInFault(message);
  if (signIn !== undefined) return signIn;
  // FAILED_PRECONDITION: the text alone says which.
  if (code === 9) {
    if (/DESTROY/.test(message)) return new FastnessError('KEYS_CLOUD_PENDING_DELETION', detail);
    return new FastnessError(/DISABLED/.test(message) ? 'KEYS_DISABLED' : 'KEYS_CLOUD_CONFLICT', detail);
  }
  if (code === 3) {
    if (/crc32c|checksum/i.test(message)) return new FastnessError('KEYS_CLOUD_INTEGRITY', detail);
    return new FastnessError(operation === 'unwrap' ? 'KEYS_UNWRAP' : 'KEYS_CLOUD_FAILED', detail);
  }
  return new FastnessError(codes[code] ?? 'KEYS_CLOUD_FAILED', detail);
}

/** Failures to get a token at all. */
function signInFault(message: string): FastnessError | undefined {
  return /default credentials|invalid_grant|invalid_client|invalid_target|Error code \w+/i.test(message)
    ? new FastnessError('KEYS_CLOUD_CREDENTIALS')
    : undefined;
}
