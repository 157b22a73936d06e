import { decodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';

/** Requests and answers of AWS's security module, by device or by TPM: CBOR, as Rust's serde writes an enum (aws-nitro-enclaves-nsm-api). */

/** ErrorCode of aws-nitro-enclaves-nsm-api. */
const errorCodes: ReadonlySet<string> = new Set([
  'InvalidArgument',
  'InvalidIndex',
  'InvalidResponse',
  'ReadOnlyIndex',
  'InvalidOperation',
  'BufferTooSmall',
  'InputTooLarge',
  'InternalError',
]);

/** Asks for a document over report data, which goes into `user_data`; `nonce` and `public_key` stay empty. */
export function attestationRequest(reportData: Uint8Array): CborValue {
  const fields = new Map<string, CborValue>([
    ['user_data', reportData],
    ['nonce', null],
    ['public_key', null],
  ]);
  return new Map([['Attestation', fields]]);
}

/** The document of an answer to {@link attestationRequest}, as a copy. Throws EVIDENCE_RESPONSE. */
export function documentOf(fields: CborMap): Uint8Array {
  const document = fields.get('document');
  if (!(document instanceof Uint8Array) || document.length === 0) throw malformed('no document');
  return document.slice();
}

/**
 * The fields of the answer to the request `name`. `bare`: an answer without fields is its name alone. `padded`: what follows it
 * in the buffer means nothing. Throws EVIDENCE_REFUSED with the module's own code, EVIDENCE_RESPONSE.
 */
export function readNsmAnswer(
  answer: Uint8Array,
  options: { readonly name: string; readonly path: string; readonly bare?: boolean; readonly padded?: boolean },
): CborMap {
  const { name, path, bare = false, padded = false } = options;
  let value: CborValue;
  try {
    const rest = padded ? 'ignored' : 'refused';
    value = decodeCbor(answer, { keyOrder: 'any', openMaps: 'accepted', integers: 'any', rest });
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', `${name}: not CBOR.`, { cause });
  }
  if (bare && value === name) return new Map();
  if (!(value instanceof Map) || value.size !== 1) throw malformed(`the answer to ${name} is no map of one`);
  const error: unknown = value.get('Error');
  if (typeof error === 'string') {
    const code = errorCodes.has(error) ? error : 'unknown error';
    throw new FastnessError('EVIDENCE_REFUSED', `${path}, ${name}: ${code}.`);
  }
  const fields: unknown = value.get(name);
  if (!(fields instanceof Map)) throw malformed(`not the answer to ${name}`);
  return fields;
}

export function malformed(what: string): FastnessError {
  return new FastnessError('EVIDENCE_RESPONSE', `NSM: ${what}.`);
}
