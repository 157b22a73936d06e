import { fromBase64Url, utf8Decode } from '@fastness/codec/bytes';

/** What the address of the page says behind `#`, which browsers send to no server. */
export interface Wanted {
  /** Address of an enclave or relay. */
  readonly enclave?: string;
  /** JSON text of a client policy. */
  readonly policy?: string;
}

const maxFragment = 256 * 1024;

/** Reads `#enclave=URL&policy=BASE64URL(JSON)`. What does not parse is left out: the form then says what is missing. */
export function wantedOf(hash: string): Wanted {
  if (hash.length > maxFragment) return {};
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const enclave = fields.get('enclave');
  const policy = textOf(fields.get('policy'));
  return { ...(enclave === null ? {} : { enclave }), ...(policy === undefined ? {} : { policy }) };
}

function textOf(value: string | null): string | undefined {
  if (value === null) return undefined;
  try {
    return utf8Decode(fromBase64Url(value));
  } catch {
    return undefined;
  }
}
