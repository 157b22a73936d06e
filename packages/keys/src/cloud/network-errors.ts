import { FastnessError } from '@fastness/codec/errors';

/** What the errors of all SDKs have in one place or another. */
export interface FaultNames {
  readonly name: string;
  /** The HTTP status, 0 when there was no answer. */
  readonly status: number;
  /** To be looked at, never to be passed on: services and SDKs repeat what they were sent. */
  readonly message: string;
}

export function namesOf(error: unknown): FaultNames {
  if (!(error instanceof Error)) return { name: '', status: 0, message: '' };
  const codeOf = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { name: codeOf ?? error.name, status: statusOf(error), message: error.message };
}

function statusOf(error: Error): number {
  if ('statusCode' in error && typeof error.statusCode === 'number') return error.statusCode;
  if ('$metadata' in error && typeof error.$metadata === 'object' && error.$metadata !== null) {
    const metadata = error.$metadata;
    if ('httpStatusCode' in metadata && typeof metadata.httpStatusCode === 'number') return metadata.httpStatusCode;
  }
  return 0;
}

/** The code that a status or a failure of the network has at every service. */
export function networkFault({ name, status, message }: FaultNames): FastnessError {
  const word = /^[A-Za-z_]{1,64}$/.test(name) ? name : 'unknown';
  const detail = status === 0 ? `(${word})` : `(${word}, status ${status})`;
  if (status === 429) return new FastnessError('KEYS_CLOUD_THROTTLED', detail);
  if (status === 401) return new FastnessError('KEYS_CLOUD_CREDENTIALS', detail);
  if (status === 403) return new FastnessError('KEYS_CLOUD_DENIED', detail);
  if (status === 404) return new FastnessError('KEYS_CLOUD_NOT_FOUND', detail);
  if (status === 409) return new FastnessError('KEYS_CLOUD_CONFLICT', detail);
  if (status >= 500) return new FastnessError('KEYS_CLOUD_UNAVAILABLE', detail);
  if (/^(?:E[A-Z_]{2,20}|REQUEST_SEND_ERROR|TimeoutError|UND_ERR_[A-Z_]+|FetchError)$/.test(name)) {
    return new FastnessError('KEYS_CLOUD_UNAVAILABLE', detail);
  }
  if (/\baborted\b|socket hang up/.test(message)) return new FastnessError('KEYS_CLOUD_UNAVAILABLE', detail);
  if (name === 'SyntaxError' || /JSON|deserializ/i.test(message)) return new FastnessError('KEYS_CLOUD_PROTOCOL');
  if (status >= 400) return new FastnessError('KEYS_CLOUD_FAILED', detail);
  return new FastnessError('KEYS_CLOUD_FAILED', detail);
}
