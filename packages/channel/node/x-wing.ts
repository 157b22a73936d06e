import * as crypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { webPrimitives, type HpkeKem } from '@fastness/channel';
import { concatBytes, fromBase64Url, fromHex } from '@fastness/codec/bytes';

/** DER in front of raw keys: PKCS #8 with a seed (RFC 9935 section 6) or a scalar (RFC 8410); SubjectPublicKeyInfo. */
const der = {
  mlKemPrivate: fromHex('3054020100300b060960864801650304040204428040'),
  mlKemPublic: fromHex('308204b2300b0609608648016503040402038204a100'),
  x25519Private: fromHex('302e020100300506032b656e04220420'),
};
const mlKemSeed = 64;
const mlKemPublic = 1184;
const mlKemCiphertext = 1088;
const x25519Length = 32;
const seedLength = 32;
const label = fromHex('5c2e2f2f5e5c');

interface Parts {
  readonly mlKem: KeyObject;
  readonly x25519: KeyObject;
  /** Raw X25519 public key. */
  readonly x25519Public: Uint8Array;
}

interface PublicParts extends Parts {
  readonly raw: Uint8Array;
}

/** A key as HPKE sees it. What it consists of is found by the object alone. */
class XWingKey {
  readonly algorithm = Object.freeze({ name: 'MLKEM768-X25519' });
  readonly extractable: boolean;
  readonly type: 'private' | 'public';

  constructor(type: 'private' | 'public') {
    this.type = type;
    this.extractable = type === 'public';
  }
}

const publicParts = new WeakMap<object, PublicParts>();
const privateParts = new WeakMap<object, Parts>();

/**
 * X-Wing, ML-KEM-768 with X25519 (draft-connolly-cfrg-xwing-kem-08), over Node's own primitives: 0.2 ms where WebCrypto's
 * changes of thread make it 1.5 ms. Node without ML-KEM gets the general one. Private keys cannot be written out.
 */
export function nodeXWing(): HpkeKem {
  const general = webPrimitives.hpkeXWing();
  if (typeof crypto.encapsulate !== 'function') return general;
  return {
    ...general,
    GenerateKeyPair: () => keyPairOf(crypto.randomBytes(seedLength)),
    DeserializePrivateKey: async (seed) => (await keyPairOf(Uint8Array.from(seed))).privateKey,
    SerializePublicKey: async (key) => partsOf(publicParts, key).raw.slice(),
    DeserializePublicKey: publicKeyOf,
    Encap: async (key) => encapsulate(partsOf(publicParts, key)),
    Decap: (enc, key) => decapsulate(enc, partsOf(privateParts, key)),
    DeriveKeyPair: () => Promise.reject(new TypeError('keys are generated, not derived')),
    SerializePrivateKey: () => Promise.reject(new TypeError('private keys stay here')),
  };
}

function encapsulate({ mlKem, x25519, x25519Public }: PublicParts): { shared_secret: Uint8Array; enc: Uint8Array } {
  const first = crypto.encapsulate(mlKem);
  const ephemeral = crypto.generateKeyPairSync('x25519');
  const share = rawPublic(ephemeral.publicKey);
  const second = crypto.diffieHellman({ privateKey: ephemeral.privateKey, publicKey: x25519 });
  return {
    shared_secret: combine(first.sharedKey, second, share, x25519Public),
    enc: concatBytes(first.ciphertext, share),
  };
}

async function decapsulate(enc: Uint8Array, { mlKem, x25519, x25519Public }: Parts): Promise<Uint8Array> {
  if (enc.length !== mlKemCiphertext + x25519Length) throw new RangeError('not the length of an encapsulated secret');
  const share = enc.slice(mlKemCiphertext);
  const first = crypto.decapsulate(mlKem, enc.subarray(0, mlKemCiphertext));
  const second = crypto.diffieHellman({ privateKey: x25519, publicKey: await x25519PublicKey(share) });
  return combine(first, second, share, x25519Public);
}

/** Section 5.3: SHA3-256 over both secrets, the X25519 ciphertext and public key, and the label. */
function combine(first: Uint8Array, second: Uint8Array, share: Uint8Array, x25519Public: Uint8Array): Uint8Array {
  const input = concatBytes(first, second, share, x25519Public, label);
  const secret = Uint8Array.from(crypto.hash('sha3-256', input, 'buffer'));
  for (const bytes of [first, second, input]) bytes.fill(0);
  return secret;
}

/** Section 5.2: SHAKE256 of the seed gives the seed of ML-KEM and the scalar of X25519. Wipes `seed`. */
async function keyPairOf(seed: Uint8Array): Promise<{ privateKey: XWingKey; publicKey: XWingKey }> {
  if (seed.length !== seedLength) throw new RangeError('not the length of a private key');
  const expanded = crypto
    .createHash('shake256', { outputLength: mlKemSeed + x25519Length })
    .update(seed)
    .digest();
  const mlKem = privateKeyOf(der.mlKemPrivate, expanded.subarray(0, mlKemSeed));
  const x25519 = privateKeyOf(der.x25519Private, expanded.subarray(mlKemSeed));
  for (const bytes of [seed, expanded]) bytes.fill(0);
  const x25519Public = rawPublic(crypto.createPublicKey(x25519));
  const mlKemRaw = crypto
    .createPublicKey(mlKem)
    .export({ format: 'der', type: 'spki' })
    .subarray(der.mlKemPublic.length);
  const privateKey = new XWingKey('private');
  privateParts.set(privateKey, { mlKem, x25519, x25519Public });
  return { privateKey, publicKey: await publicKeyOf(concatBytes(mlKemRaw, x25519Public)) };
}

function privateKeyOf(prefix: Uint8Array, bytes: Uint8Array): KeyObject {
  const key = Buffer.concat([prefix, bytes]);
  try {
    return crypto.createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  } finally {
    key.fill(0);
  }
}

async function publicKeyOf(raw: Uint8Array): Promise<XWingKey> {
  if (raw.length !== mlKemPublic + x25519Length) throw new RangeError('not the length of a public key');
  const mlKem = crypto.createPublicKey({
    key: Buffer.concat([der.mlKemPublic, raw.subarray(0, mlKemPublic)]),
    format: 'der',
    type: 'spki',
  });
  const x25519Public = raw.slice(mlKemPublic);
  const key = new XWingKey('public');
  publicParts.set(key, { mlKem, x25519: await x25519PublicKey(x25519Public), x25519Public, raw: raw.slice() });
  return key;
}

/** By way of WebCrypto, which takes raw keys: a tenth of the time of DER. */
async function x25519PublicKey(raw: Uint8Array<ArrayBuffer>): Promise<KeyObject> {
  return crypto.KeyObject.from(await crypto.subtle.importKey('raw', raw, 'X25519', true, []));
}

function rawPublic(x25519: KeyObject): Uint8Array {
  // Node takes thirty times as long to write DER.
  return fromBase64Url(x25519.export({ format: 'jwk' }).x ?? '');
}

function partsOf<T>(parts: WeakMap<object, T>, key: object): T {
  const found = parts.get(key);
  if (found === undefined) throw new TypeError('a key of another X-Wing');
  return found;
}
