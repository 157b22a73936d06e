import { FastnessError } from '@fastness/codec/errors';

/** Where a PIN comes from: a file, or a descriptor that this process inherited. Never the URI itself. */
export type PinSource =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'descriptor'; readonly descriptor: number };

/** What of a token's own description must match, to the byte, after the padding is cut off. */
export interface TokenMatch {
  readonly token?: string;
  readonly manufacturer?: string;
  readonly serial?: string;
  readonly model?: string;
  readonly slotId?: number;
}

export interface Pkcs11Uri {
  /** Absolute path of the vendor's library. */
  readonly modulePath: string;
  readonly match: TokenMatch;
  readonly pinSource?: PinSource;
  /** What NSS wants in C_Initialize (`configdir=...`); given as `x-library-parameters`. */
  readonly libraryParameters?: string;
}

const maxUriBytes = 4096;

/** What the path and the query may contain unescaped (RFC 7512 section 2.3, pk11-pchar and pk11-qchar). */
const pathValue = /^(?:[A-Za-z0-9\-._~:[\]@!$'()*+,=&]|%[0-9A-Fa-f]{2})*$/;
const queryValue = /^(?:[A-Za-z0-9\-._~:[\]@!$'()*+,=/?|]|%[0-9A-Fa-f]{2})*$/;

const pathAttributes: readonly string[] = ['token', 'manufacturer', 'serial', 'model', 'slot-id'];
const queryAttributes: readonly string[] = ['module-path', 'pin-source', 'x-library-parameters'];

/**
 * Reads a PKCS #11 URI (RFC 7512) that names one token: `pkcs11:token=...;serial=...?module-path=/...&pin-source=file:/...`.
 *
 * The subset: `module-path` is required and absolute; at least one of token, manufacturer, serial, model, slot-id;
 * `pin-source` is `file:/path`, `/path` or `fd:N`. Refused although the RFC has them: `pin-value` (a secret in a URI
 * ends up in process lists and logs), `|command` (a URI must not run programs), `module-name` (whose search path
 * somebody else may control), and `object`, `id`, `type`: the store finds its keys by their ids.
 * Errors: KEYS_HSM_URI. No error repeats the URI.
 */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  if (text.length > maxUriBytes) throw refused(`It is longer than ${maxUriBytes} bytes.`);
  if (!text.startsWith('pkcs11:')) throw refused('It does not begin with pkcs11:.');
  const [path = '', query, ...rest] = text.slice('pkcs11:'.length).split('?');
  // RFC 7512 allows "?" inside the query; no value that is accepted here needs it unescaped.
  if (rest.length > 0) throw refused('It has more than one query.');
  const token = attributes(path, ';', pathValue, pathAttributes);
  const options = attributes(query ?? '', '&', queryValue, queryAttributes);

  const modulePath = options.get('module-path');
  if (modulePath === undefined) throw refused('module-path is missing.');
  if (!modulePath.startsWith('/') || modulePath.includes('\0')) throw refused('module-path is not absolute.');
  const slot = token.get('slot-id');
  if (slot !== undefined && !/^(?:0|[1-9][0-9]{0,9})$/.test(slot)) throw refused('slot-id is not a number.');
  if (token.size === 0) throw refused('It names no token.');
  const pin = options.get('pin-source');
  const libraryParameters = options.get('x-library-parameters');
  return {
    modulePath,
    match: {
      ...optional('token', token.get('token'), 32),
      ...optional('manufacturer', token.get('manufacturer'), 32),
      ...optional('serial', token.get('serial'), 16),
      ...optional('model', token.get('model'), 16),
      ...(slot === undefined ? {} : { slotId: Number(slot) }),
    },
    ...(pin === undefined ? {} : { pinSource: pinSourceOf(pin) }),
    ...(libraryParameters === undefined ? {} : { libraryParameters: checkParameters(libraryParameters) }),
  };
}

function attributes(
  text: string,
  separator: string,
  allowed: RegExp,
  known: readonly string[],
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (text === '') return found;
  for (const part of text.split(separator)) {
    const split = part.indexOf('=');
    if (split < 1) throw refused('An attribute has no name or no value.');
    const name = part.slice(0, split);
    if (name === 'pin-value') {
      throw refused('pin-value is refused: a PIN in a URI is read by whoever lists processes; use pin-source.');
    }
    if (!known.includes(name)) {
      throw refused(
        /^[a-z-]{1,32}$/.test(name) ? `The attribute ${name} is not used here.` : 'An attribute is unknown.',
      );
    }
    if (found.has(name)) throw refused(`The attribute ${name} is there twice.`);
    const raw = part.slice(split + 1);
    if (!allowed.test(raw)) throw refused(`The attribute ${name} has characters that must be percent-encoded.`);
    try {
      found.set(name, decodeURIComponent(raw));
    } catch {
      throw refused(`The attribute ${name} is not UTF-8.`);
    }
  }
  return found;
}

function optional<Name extends string>(
  name: Name,
  value: string | undefined,
  maxBytes: number,
): Partial<Record<Name, string>> {
  if (value === undefined) return {};
  const bytes = new TextEncoder().encode(value).length;
  if (bytes < 1 || bytes > maxBytes) throw refused(`The attribute ${name} has 1 to ${maxBytes} bytes.`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed name widens to string
  return { [name]: value } as Partial<Record<Name, string>>;
}

function pinSourceOf(text: string): PinSource {
  const descriptor = /^fd:([0-9]{1,4})$/.exec(text)?.[1];
  if (descriptor !== undefined) return { kind: 'descriptor', descriptor: Number(descriptor) };
  // RFC 8089: file:/path and file:///path; a host is refused.
  const path = text.startsWith('file:') ? text.slice('file:'.length).replace(/^\/\/(?=\/)/, '') : text;
  if (!path.startsWith('/') || path.startsWith('//') || path.includes('\0')) {
    throw refused('pin-source is an absolute path, file:/path or fd:N; commands are not run.');
  }
  return { kind: 'file', path };
}

function checkParameters(text: string): string {
  // It is passed as a C string; a quote inside is NSS's own syntax.
  if (text.length > 1024 || !/^[\x20-\x7e]*$/.test(text)) throw refused('x-library-parameters is not printable ASCII.');
  return text;
}

function refused(detail: string): FastnessError {
  return new FastnessError('KEYS_HSM_URI', detail);
}
