import { concatBytes } from '../bytes/bytes.ts';
import { FastnessError } from '../errors/index.ts';
import { readDerSequence } from './reader.ts';
import { der } from './writer.ts';

/**
 * Turns an ECDSA signature from its X.509 form, SEQUENCE { r, s } (RFC 3279, section 2.2.3), into the form that
 * WebCrypto and COSE use, r || s with `fieldBytes` bytes each (32, 48 or 66).
 * @throws CODEC_* for anything but that DER, and CODEC_MALFORMED for a half that is negative or too long.
 */
export function ecdsaSignatureToRaw(signature: Uint8Array, fieldBytes: number): Uint8Array<ArrayBuffer> {
  return readDerSequence(signature, (fields) => {
    const raw = new Uint8Array(fieldBytes * 2);
    for (const end of [fieldBytes, fieldBytes * 2]) {
      const half = fields.integer();
      if ((half[0] ?? 0) >= 0x80) throw new FastnessError('CODEC_MALFORMED', 'A negative half of a signature.');
      const magnitude = half[0] === 0 ? half.subarray(1) : half;
      if (magnitude.length > fieldBytes) throw new FastnessError('CODEC_MALFORMED', 'Half a signature is too long.');
      raw.set(magnitude, end - magnitude.length);
    }
    return raw;
  });
}

/** The inverse of `ecdsaSignatureToRaw`. @throws CODEC_VALUE for an empty or odd length. */
export function ecdsaSignatureFromRaw(raw: Uint8Array): Uint8Array<ArrayBuffer> {
  if (raw.length === 0 || raw.length % 2 !== 0) throw new FastnessError('CODEC_VALUE', 'Not r || s.');
  const half = raw.length / 2;
  return concatBytes(der.sequence(der.unsigned(raw.subarray(0, half)), der.unsigned(raw.subarray(half))));
}
