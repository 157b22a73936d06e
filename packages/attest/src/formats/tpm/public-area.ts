import { ByteReader, concatBytes } from '@fastness/codec';
import { der } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { failed } from '../../checks.ts';

const RSA = 0x0001;
const ECC = 0x0023;
const NULL = 0x0010;
/** Bits of TPMA_OBJECT (part 2, section 8.3). */
const FIXED_TPM = 1 << 1;
const FIXED_PARENT = 1 << 4;
const SENSITIVE_DATA_ORIGIN = 1 << 5;
const RESTRICTED = 1 << 16;
const DECRYPT = 1 << 17;
const SIGN = 1 << 18;
const REQUIRED = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | RESTRICTED | SIGN;

/** Curves by TPM_ECC_CURVE: object identifier and bytes of a coordinate. */
const curves: ReadonlyMap<number, readonly [oid: string, bytes: number]> = new Map([
  [0x0003, ['1.2.840.10045.3.1.7', 32] as const],
  [0x0004, ['1.3.132.0.34', 48] as const],
  [0x0005, ['1.3.132.0.35', 66] as const],
]);

/**
 * The key in a TPMT_PUBLIC (part 2, section 12.2.4) that fills `bytes`, as DER SubjectPublicKeyInfo, provided that it is an
 * attestation key: restricted to signing what the TPM itself made, and never outside it. An unrestricted key would sign a
 * quote that its user made up. The attributes count only where something authenticates the public area.
 * Throws TPM_KEY_ATTRIBUTES, TPM_PUBLIC, CODEC_TRUNCATED, CODEC_TRAILING.
 */
export function attestationKeyOf(bytes: Uint8Array): Uint8Array {
  const reader = new ByteReader(bytes);
  const type = reader.u16be();
  reader.u16be(); // The name algorithm names the key; nothing here depends on the name.
  const attributes = reader.u32be();
  reader.take(reader.u16be());
  if ((attributes & REQUIRED) !== REQUIRED || (attributes & DECRYPT) !== 0) {
    throw failed('TPM_KEY_ATTRIBUTES', {
      expected: 'fixed, restricted, for signing alone',
      actual: `0x${attributes.toString(16)}`,
    });
  }
  if (reader.u16be() !== NULL) throw unsupported('a symmetric algorithm');
  if (reader.u16be() !== NULL) reader.u16be(); // The scheme and its hash; the signature names them again.
  if (type === RSA) return readRsa(reader);
  if (type === ECC) return readEcc(reader);
  throw unsupported(`key type 0x${type.toString(16)}`);
}

function readRsa(reader: ByteReader): Uint8Array {
  reader.u16be(); // The number of bits; the modulus has its own.
  const exponent = reader.u32be();
  const modulus = reader.take(reader.u16be());
  reader.end();
  // Zero stands for the default exponent.
  const key = der.sequence(der.unsigned(modulus), der.integer(exponent === 0 ? 65_537 : exponent));
  return der.sequence(der.sequence(der.oid('1.2.840.113549.1.1.1'), der.null()), der.bitString(key));
}

function readEcc(reader: ByteReader): Uint8Array {
  const curveId = reader.u16be();
  const curve = curves.get(curveId);
  if (curve === undefined) throw unsupported(`curve 0x${curveId.toString(16)}`);
  if (reader.u16be() !== NULL) throw unsupported('a key derivation scheme');
  const [oid, size] = curve;
  const x = padded(reader.take(reader.u16be()), size);
  const y = padded(reader.take(reader.u16be()), size);
  reader.end();
  const algorithm = der.sequence(der.oid('1.2.840.10045.2.1'), der.oid(oid));
  return der.sequence(algorithm, der.bitString(concatBytes(Uint8Array.of(4), x, y)));
}

function padded(coordinate: Uint8Array, size: number): Uint8Array {
  if (coordinate.length > size) throw unsupported(`a coordinate of ${coordinate.length} bytes`);
  return concatBytes(new Uint8Array(size - coordinate.length), coordinate);
}

function unsupported(what: string): FastnessError {
  return new FastnessError('TPM_PUBLIC', `It has ${what}.`);
}
