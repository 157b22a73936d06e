import { CborTag, decodeCbor, encodeCbor, type CborMap, type DecodeCborOptions } from '../cbor/index.ts';
import { FastnessError } from '../errors/index.ts';
import { checkHeaders, coseHeaders, decodeProtected, encodeProtected } from './headers.ts';

/** A decoded COSE_Sign1 message. Decoding proves nothing: see `verifySign1`. */
export interface Sign1 {
  /** Exactly the bytes that are signed; verify over these, never over a re-encoding. */
  readonly protectedBytes: Uint8Array;
  readonly protectedHeader: CborMap;
  readonly unprotected: CborMap;
  /** null when the payload travels apart from the message. */
  readonly payload: Uint8Array | null;
  readonly signature: Uint8Array;
  /** The number from the protected header. */
  readonly algorithm: number;
}

/** Number of the COSE_Sign1 tag. */
const SIGN1_TAG = 18;

/**
 * Reads a COSE_Sign1 message (RFC 9052, section 4.2), tagged 18 or untagged, in the CBOR subset of `decodeCbor`.
 * Header maps may come in any order.
 * @throws CODEC_*, COSE_HEADER, COSE_CRITICAL
 */
export function decodeSign1(bytes: Uint8Array, options: Pick<DecodeCborOptions, 'limits'> = {}): Sign1 {
  const outer = decodeCbor(bytes, { ...options, keyOrder: 'any' });
  if (outer instanceof CborTag && outer.tag !== SIGN1_TAG) {
    throw new FastnessError('CODEC_UNSUPPORTED', `CBOR tag ${outer.tag} is not COSE_Sign1.`);
  }
  const message = outer instanceof CborTag ? outer.value : outer;
  if (!Array.isArray(message) || message.length !== 4) throw malformed('an array of four');
  const [protectedBytes, unprotected, payload, signature] = message as readonly unknown[];
  if (!(protectedBytes instanceof Uint8Array)) throw malformed('a protected header of bytes');
  if (!(unprotected instanceof Map)) throw malformed('an unprotected header map');
  if (payload !== null && !(payload instanceof Uint8Array)) throw malformed('a payload of bytes or null');
  if (!(signature instanceof Uint8Array)) throw malformed('a signature of bytes');
  const protectedHeader = decodeProtected(protectedBytes);
  checkHeaders(protectedHeader, unprotected as CborMap);
  const algorithm = protectedHeader.get(coseHeaders.algorithm);
  if (typeof algorithm !== 'number') throw new FastnessError('COSE_HEADER', 'No algorithm number is protected.');
  return { protectedBytes, protectedHeader, unprotected: unprotected as CborMap, payload, signature, algorithm };
}

/**
 * The bytes that a COSE_Sign1 signature covers (RFC 9052, section 4.4).
 * @param options.externalAad data both sides know that the message does not carry; empty when left out
 */
export function sign1ToBeSigned(options: {
  readonly protectedBytes: Uint8Array;
  readonly payload: Uint8Array;
  readonly externalAad?: Uint8Array;
}): Uint8Array<ArrayBuffer> {
  const { protectedBytes, payload, externalAad = new Uint8Array() } = options;
  return encodeCbor(['Signature1', protectedBytes, externalAad, payload]);
}

/**
 * Signs and writes a COSE_Sign1 message. `sign` gets the bytes to be signed and returns the raw signature of the
 * algorithm that `protectedHeader` names under label 1.
 * @param options.detached leave the payload out of the message; the receiver has to have it already
 * @param options.tagged write CBOR tag 18 in front; default true
 * @throws COSE_HEADER when the headers break the rules that `decodeSign1` holds messages to
 */
export async function encodeSign1(options: {
  readonly protectedHeader: CborMap;
  readonly unprotected?: CborMap;
  readonly payload: Uint8Array;
  readonly externalAad?: Uint8Array;
  readonly detached?: boolean;
  readonly tagged?: boolean;
  readonly sign: (toBeSigned: Uint8Array) => Promise<Uint8Array>;
}): Promise<Uint8Array<ArrayBuffer>> {
  const { protectedHeader, payload, externalAad, unprotected = new Map() } = options;
  if (typeof protectedHeader.get(coseHeaders.algorithm) !== 'number') {
    throw new FastnessError('COSE_HEADER', 'No algorithm number is protected.');
  }
  checkHeaders(protectedHeader, unprotected);
  const protectedBytes = encodeProtected(protectedHeader);
  const toBeSigned = sign1ToBeSigned({
    protectedBytes,
    payload,
    ...(externalAad === undefined ? {} : { externalAad }),
  });
  const signature = await options.sign(toBeSigned);
  const message = [protectedBytes, unprotected, options.detached === true ? null : payload, signature];
  return encodeCbor(options.tagged === false ? message : new CborTag(SIGN1_TAG, message));
}

function malformed(expected: string): FastnessError {
  return new FastnessError('CODEC_MALFORMED', `COSE_Sign1 wants ${expected}.`);
}
