import { FastnessError } from '@fastness/codec/errors';
import type { CloudOperation } from './backend.ts';
import { namesOf, networkFault } from './network-errors.ts';

/** The code of an error of Azure's SDK. Of its text only the name and the status go on. */
export function azureFault(error: unknown, operation: CloudOperation): FastnessError {
  const { name, status, message } = namesOf(error);
  if (
    error instanceof Error &&
    /^(?:Aggregate)?(?:AuthenticationRequired|Authentication|CredentialUnavailable)Error$/.test(error.name)
  ) {
    return new FastnessError('KEYS_CLOUD_CREDENTIALS');
  }
  if (/challenge (?:resource|contains invalid scope)/i.test(message)) return new FastnessError('KEYS_CLOUD_CHALLENGE');
  const detail = /^[A-Za-z]{1,64}$/.test(name) ? `(${name}, status ${status})` : `(status ${status})`;
  if (status === 400 && operation === 'release') return new FastnessError('KEYS_CLOUD_ATTESTATION', detail);
  if (status === 400) return new FastnessError(operation === 'unwrap' ? 'KEYS_UNWRAP' : 'KEYS_CLOUD_FAILED', detail);
  if (status === 403) {
    if (operation === 'release') return new FastnessError('KEYS_CLOUD_ATTESTATION', detail);
    return new FastnessError(/disabled/i.test(message) ? 'KEYS_DISABLED' : 'KEYS_CLOUD_DENIED', detail);
  }
  if (status === 409 && /deleted/i.test(message)) {
    return new FastnessError(operation === 'create' ? 'KEYS_ID_EXISTS' : 'KEYS_CLOUD_PENDING_DELETION', detail);
  }
  return networkFault({ name, status, message });
}
