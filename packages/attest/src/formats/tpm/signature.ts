import { ByteReader } from '@fastness/codec';
import { ecdsaSignatureFromRaw } from '@fastness/codec/der';
import type { HashName, SignatureAlgorithm } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { digestBytes, tpmHashes } from './layout.ts';

/** A TPMT_SIGNATURE in the form that X.509 signatures have. */
export interface TpmSignature {
  readonly algorithm: SignatureAlgorithm;
  readonly hash: HashName;
  /** RSA: as it is. ECDSA: DER. */
  readonly bytes: Uint8Array;
}

const RSASSA = 0x0014;
const RSAPSS = 0x0016;
const ECDSA = 0x0018;
const MAX_COORDINATE = 66;

/**
 * Reads a TPMT_SIGNATURE (TPM 2.0 Library, part 2, section 11.3.4) that fills `bytes`: RSASSA, RSAPSS (with a salt as long
 * as the hash, as FIPS 186 wants it) or ECDSA. Throws TPM_SCHEME, TPM_HASH, TPM_COORDINATE, CODEC_TRUNCATED, CODEC_TRAILING.
 */
export function readSignature(bytes: Uint8Array, checks: Checklist): TpmSignature {
  const reader = new ByteReader(bytes);
  const scheme = reader.u16be();
  checks.require('TPM_SCHEME', scheme === RSASSA || scheme === RSAPSS || scheme === ECDSA, {
    expected: 'RSASSA, RSAPSS or ECDSA',
    actual: `0x${scheme.toString(16)}`,
  });
  const algorithmId = reader.u16be();
  const hash = tpmHashes.get(algorithmId);
  checks.require('TPM_HASH', hash !== undefined, {
    expected: 'SHA-256, SHA-384 or SHA-512',
    actual: `0x${algorithmId.toString(16)}`,
  });
  const first = reader.take(reader.u16be());
  if (scheme !== ECDSA) {
    reader.end();
    const algorithm: SignatureAlgorithm =
      scheme === RSASSA ? { kind: 'rsa-pkcs1', hash } : { kind: 'rsa-pss', hash, saltLength: digestBytes[hash] };
    return { algorithm, hash, bytes: first };
  }
  const second = reader.take(reader.u16be());
  reader.end();
  const longest = Math.max(first.length, second.length);
  checks.require('TPM_COORDINATE', Math.min(first.length, second.length) > 0 && longest <= MAX_COORDINATE, {
    expected: `1 to ${MAX_COORDINATE} bytes`,
    actual: `${first.length} and ${second.length}`,
  });
  const raw = new Uint8Array(2 * longest);
  raw.set(first, longest - first.length);
  raw.set(second, raw.length - second.length);
  return { algorithm: { kind: 'ecdsa', hash }, hash, bytes: ecdsaSignatureFromRaw(raw) };
}
