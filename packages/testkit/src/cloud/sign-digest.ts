import { createECDH, type KeyObject } from 'node:crypto';
import { fromBase64Url, fromHex, toHex } from '@fastness/codec/bytes';
import { ecdsaSignatureFromRaw } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';

const curves: Readonly<Record<string, { name: string; order: bigint; bytes: number }>> = {
  'P-256': {
    name: 'prime256v1',
    order: 0xffffffff_00000000_ffffffff_ffffffff_bce6faad_a7179e84_f3b9cac2_fc632551n,
    bytes: 32,
  },
  'P-384': {
    name: 'secp384r1',
    order:
      0xffffffff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_c7634d81_f4372ddf_581a0db2_48b0a77a_ecec196a_ccc52973n,
    bytes: 48,
  },
};

/**
 * ECDSA (FIPS 186-5 section 6.4) over a digest that was made elsewhere, which Node does not offer: r || s.
 * The arithmetic takes a time that depends on its numbers: for tests alone.
 */
export function signDigestRaw(privateKey: KeyObject, digest: Uint8Array): Uint8Array {
  const { crv = '', d = '' } = privateKey.export({ format: 'jwk' });
  const curve = curves[crv];
  if (curve === undefined || digest.length !== curve.bytes) {
    throw new FastnessError('TESTKIT_OPTION', `A digest of ${digest.length} bytes for ${crv}.`);
  }
  const { order, bytes } = curve;
  const once = createECDH(curve.name);
  const point = new Uint8Array(once.generateKeys());
  const nonce = toNumber(new Uint8Array(once.getPrivateKey()));
  const r = toNumber(point.subarray(1, 1 + bytes)) % order;
  const s = (inverse(nonce, order) * ((toNumber(digest) + r * toNumber(fromBase64Url(d))) % order)) % order;
  return fromHex([r, s].map((half) => half.toString(16).padStart(bytes * 2, '0')).join(''));
}

/** As `signDigestRaw`, in DER. */
export function signDigest(privateKey: KeyObject, digest: Uint8Array): Uint8Array {
  return ecdsaSignatureFromRaw(signDigestRaw(privateKey, digest));
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

function inverse(value: bigint, order: bigint): bigint {
  let [a, b, x, y] = [value % order, order, 1n, 0n];
  while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return ((x % order) + order) % order;
}
