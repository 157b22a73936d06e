import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { CloudOperation } from './backend.ts';
import { namesOf, networkFault } from './network-errors.ts';

const codes: Readonly<Record<string, ErrorCode>> = Object.freeze({
  ThrottlingException: 'KEYS_CLOUD_THROTTLED',
  Throttling: 'KEYS_CLOUD_THROTTLED',
  TooManyRequestsException: 'KEYS_CLOUD_THROTTLED',
  RequestLimitExceeded: 'KEYS_CLOUD_THROTTLED',
  AccessDeniedException: 'KEYS_CLOUD_DENIED',
  AccessDenied: 'KEYS_CLOUD_DENIED',
  OptInRequired: 'KEYS_CLOUD_DENIED',
  DisabledException: 'KEYS_DISABLED',
  InvalidCiphertextException: 'KEYS_UNWRAP',
  IncorrectKeyException: 'KEYS_UNWRAP',
  NotFoundException: 'KEYS_CLOUD_NOT_FOUND',
  AlreadyExistsException: 'KEYS_ID_EXISTS',
  LimitExceededException: 'KEYS_FULL',
  InvalidKeyUsageException: 'KEYS_CLOUD_USAGE',
  KeyUnavailableException: 'KEYS_CLOUD_UNAVAILABLE',
  DependencyTimeoutException: 'KEYS_CLOUD_UNAVAILABLE',
  KMSInternalException: 'KEYS_CLOUD_UNAVAILABLE',
  InternalFailure: 'KEYS_CLOUD_UNAVAILABLE',
  ServiceUnavailable: 'KEYS_CLOUD_UNAVAILABLE',
  CloudHsmClusterNotActiveException: 'KEYS_CLOUD_UNAVAILABLE',
  TimeoutError: 'KEYS_CLOUD_TIMEOUT',
  UnrecognizedClientException: 'KEYS_CLOUD_CREDENTIALS',
  InvalidSignatureException: 'KEYS_CLOUD_CREDENTIALS',
  IncompleteSignature: 'KEYS_CLOUD_CREDENTIALS',
  MissingAuthenticationToken: 'KEYS_CLOUD_CREDENTIALS',
  MissingAuthenticationTokenException: 'KEYS_CLOUD_CREDENTIALS',
  InvalidClientTokenId: 'KEYS_CLOUD_CREDENTIALS',
  ExpiredTokenException: 'KEYS_CLOUD_CREDENTIALS',
  RequestExpired: 'KEYS_CLOUD_CREDENTIALS',
  CredentialsProviderError: 'KEYS_CLOUD_CREDENTIALS',
});

/** The code of an error of AWS's SDK. Of its text only the name of the error goes on. */
export function awsFault(error: unknown, operation: CloudOperation): FastnessError {
  const { name, status, message } = namesOf(error);
  if (name === 'KMSInvalidStateException') {
    return new FastnessError(/deletion/i.test(message) ? 'KEYS_CLOUD_PENDING_DELETION' : 'KEYS_CLOUD_CONFLICT');
  }
  if (operation === 'release' && (name === 'ValidationException' || name === 'AccessDeniedException')) {
    return new FastnessError('KEYS_CLOUD_ATTESTATION', `(${name})`);
  }
  const code = Object.hasOwn(codes, name) ? codes[name] : undefined;
  if (code !== undefined) return new FastnessError(code, `(${name})`);
  return networkFault({ name, status, message });
}
