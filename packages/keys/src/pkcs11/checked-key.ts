import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { concatBytes, toBase64Url } from '@fastness/codec/bytes';
import { ecdsaSignatureFromRaw } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { CKA, CKK, CKO } from './constants.ts';
import type { Module } from './module.ts';
import { booleanOf, ckaId, curves, findObjects, numberOf, readAttributes, type KeyObject } from './objects.ts';
import { signRaw, type SigningCurve } from './mechanisms.ts';

/** A key whose attributes were found as they have to be. */
export type CheckedKey =
  | { readonly way: 'aes-gcm'; readonly handle: bigint }
  | { readonly way: 'rsa-oaep'; readonly handle: bigint; readonly spki: Uint8Array }
  | { readonly way: 'sign'; readonly handle: bigint; readonly curve: SigningCurve; readonly spki: Uint8Array };

/**
 * Reads what the token says of a key and refuses what could leave it or do more than its one job.
 * Errors: KEYS_HSM_EXTRACTABLE, KEYS_HSM_USAGE, KEYS_HSM_AMBIGUOUS.
 */
export function checkKey(module: Module, session: bigint, object: KeyObject): CheckedKey {
  const read = readAttributes(module, session, object.handle, [
    CKA.CLASS,
    CKA.KEY_TYPE,
    CKA.SENSITIVE,
    CKA.EXTRACTABLE,
    CKA.NEVER_EXTRACTABLE,
    CKA.ALWAYS_SENSITIVE,
    CKA.ENCRYPT,
    CKA.DECRYPT,
    CKA.WRAP,
    CKA.UNWRAP,
    CKA.SIGN,
    CKA.DERIVE,
  ]);
  const flag = (type: number): boolean | undefined => booleanOf(read.get(type));
  const name = `${object.id} version ${object.version}`;
  // The first two have to be stated; the history of the key too, wherever the token keeps it.
  const kept =
    flag(CKA.SENSITIVE) === true &&
    flag(CKA.EXTRACTABLE) === false &&
    flag(CKA.NEVER_EXTRACTABLE) !== false &&
    flag(CKA.ALWAYS_SENSITIVE) !== false;
  if (!kept) throw new FastnessError('KEYS_HSM_EXTRACTABLE', name);
  const does = (type: number): boolean => flag(type) === true;
  const others = does(CKA.WRAP) || does(CKA.UNWRAP) || does(CKA.DERIVE);
  const decrypts = does(CKA.DECRYPT);
  const signs = does(CKA.SIGN);
  const type = numberOf(read.get(CKA.KEY_TYPE));
  if (others || (object.purpose === 'wrap' ? !decrypts || signs : !signs || decrypts)) {
    throw new FastnessError('KEYS_HSM_USAGE', name);
  }
  const { handle } = object;
  const objectClass = numberOf(read.get(CKA.CLASS));
  if (object.purpose === 'wrap' && type === CKK.AES && objectClass === CKO.SECRET_KEY)
    return { way: 'aes-gcm', handle };
  if (object.purpose === 'wrap' && type === CKK.RSA && objectClass === CKO.PRIVATE_KEY) {
    return { way: 'rsa-oaep', handle, spki: rsaPublicKey(module, session, object) };
  }
  const { algorithm } = object;
  if (object.purpose !== 'sign' || algorithm === undefined || algorithm === 'AES-256-GCM') {
    throw new FastnessError('KEYS_HSM_USAGE', `${name} is of a type that this store does not use.`);
  }
  const spki = curvePublicKey(module, session, object, algorithm);
  provePossession(module, session, { handle, curve: algorithm, spki });
  return { way: 'sign', handle, curve: algorithm, spki };
}

/** From the private key: a public object beside it could be somebody else's, and what is wrapped under it theirs to read. */
function rsaPublicKey(module: Module, session: bigint, object: KeyObject): Uint8Array {
  const read = readAttributes(module, session, object.handle, [CKA.MODULUS, CKA.PUBLIC_EXPONENT]);
  const modulus = read.get(CKA.MODULUS);
  const exponent = read.get(CKA.PUBLIC_EXPONENT);
  if (modulus === undefined || exponent === undefined || significant(modulus).length !== 384) {
    throw new FastnessError('KEYS_HSM_USAGE', `${object.id} version ${object.version} is not an RSA key of 3072 bits.`);
  }
  const key = createPublicKey({
    format: 'jwk',
    key: { kty: 'RSA', n: toBase64Url(significant(modulus)), e: toBase64Url(significant(exponent)) },
  });
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }));
}

function significant(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first === -1 ? new Uint8Array(0) : bytes.subarray(first);
}

function curvePublicKey(module: Module, session: bigint, object: KeyObject, curve: SigningCurve): Uint8Array {
  const handles = findObjects(module, session, [
    [CKA.CLASS, CKO.PUBLIC_KEY],
    [CKA.ID, ckaId(object)],
  ]);
  const [handle] = handles;
  if (handle === undefined || handles.length > 1) {
    throw new FastnessError('KEYS_HSM_AMBIGUOUS', `${object.id} has ${handles.length} public keys on the token.`);
  }
  const { spki, point: length } = curves[curve];
  const encoded = readAttributes(module, session, handle, [CKA.EC_POINT]).get(CKA.EC_POINT);
  // An OCTET STRING by the standard; bare in modules that followed its early drafts.
  const bare = encoded?.length === length ? encoded : encoded?.subarray(2);
  const wrapped = encoded?.[0] === 0x04 && encoded[1] === length && encoded.length === length + 2;
  if (bare?.length !== length || (encoded?.length !== length && !wrapped)) {
    throw new FastnessError('KEYS_HSM_USAGE', `The public key of ${object.id} is not a point of ${curve}.`);
  }
  return concatBytes(spki, bare);
}

/** The public object is only believed when the private key signs for it. */
function provePossession(
  module: Module,
  session: bigint,
  { handle, curve, spki }: { handle: bigint; curve: SigningCurve; spki: Uint8Array },
): void {
  const challenge = randomBytes(32);
  const raw = signRaw(module, session, handle, curve, challenge);
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  const hash = curve === 'Ed25519' ? null : curve === 'P-256' ? 'sha256' : 'sha384';
  if (!verify(hash, challenge, key, curve === 'Ed25519' ? raw : ecdsaSignatureFromRaw(raw))) {
    throw new FastnessError('KEYS_HSM_AMBIGUOUS', 'The public key on the token is not the one of the private key.');
  }
}
