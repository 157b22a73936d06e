import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import * as hpke from 'hpke';
import { webPrimitives, type Primitives } from './primitives.ts';

/** Identifiers of the algorithms of an HPKE suite (RFC 9180 section 7, draft-ietf-hpke-pq for X-Wing). */
export interface SuiteId {
  readonly kem: number;
  readonly kdf: number;
  readonly aead: number;
}

/** X-Wing: ML-KEM-768 with X25519. The key agreement that Fastness uses wherever the runtime has it. */
export const kemXWing = 0x647a;
/** DHKEM(X25519, HKDF-SHA256): no defence against a recording that a quantum computer opens later. */
export const kemX25519 = 0x0020;
export const kdfHkdfSha256 = 0x0001;
/** Read for interoperability only; Fastness offers AES-256-GCM. */
export const aeadAes128Gcm = 0x0001;
export const aeadAes256Gcm = 0x0002;

/** A KEM of this package: `enc` and `publicKey` are lengths in bytes. */
export interface KemFacts {
  readonly name: string;
  readonly enc: number;
  readonly publicKey: number;
  readonly factory: (primitives: Primitives) => hpke.KEM;
}

/** The KEMs that a key configuration may name; others are skipped (RFC 9458 section 3). */
export const kems: ReadonlyMap<number, KemFacts> = new Map<number, KemFacts>([
  [kemXWing, { name: 'X-Wing', enc: 1120, publicKey: 1216, factory: ({ hpkeXWing }) => hpkeXWing() }],
  [kemX25519, { name: 'X25519', enc: 32, publicKey: 32, factory: hpke.KEM_DHKEM_X25519_HKDF_SHA256 }],
]);

/** The AEADs of this package; lengths in bytes. Both have a nonce of 12 bytes and a tag of 16. */
export const aeads: ReadonlyMap<number, { readonly keyLength: number; readonly name: AeadName }> = new Map([
  [aeadAes128Gcm, { keyLength: 16, name: 'hpkeAes128Gcm' }],
  [aeadAes256Gcm, { keyLength: 32, name: 'hpkeAes256Gcm' }],
]);

type AeadName = 'hpkeAes128Gcm' | 'hpkeAes256Gcm';

export const aeadNonceLength = 12;
export const aeadTagLength = 16;

export type HpkeSuite = hpke.CipherSuite;
export type HpkeKey = hpke.Key;
export type HpkeKeyPair = hpke.KeyPair;
export type SenderContext = hpke.SenderContext;
export type RecipientContext = hpke.RecipientContext;

const suites = new WeakMap<Primitives, Map<string, HpkeSuite>>();

/**
 * The suite of `id`, one instance each for each set of primitives.
 * @throws FastnessError `CHANNEL_SUITE_UNSUPPORTED` when this package has no such algorithm.
 */
export function suiteOf(id: SuiteId, primitives: Primitives = webPrimitives): HpkeSuite {
  const name = `${id.kem}/${id.kdf}/${id.aead}`;
  const own = suites.get(primitives) ?? new Map<string, HpkeSuite>();
  suites.set(primitives, own);
  const known = own.get(name);
  if (known !== undefined) return known;
  const kem = kems.get(id.kem);
  const aead = aeads.get(id.aead);
  if (kem === undefined || aead === undefined || id.kdf !== kdfHkdfSha256) {
    throw new FastnessError('CHANNEL_SUITE_UNSUPPORTED', `KEM ${id.kem}, KDF ${id.kdf}, AEAD ${id.aead}.`);
  }
  const suite = new hpke.CipherSuite(() => kem.factory(primitives), primitives.hpkeKdf, primitives[aead.name]);
  own.set(name, suite);
  return suite;
}

/** True for the errors by which `hpke` says that the runtime's WebCrypto lacks an algorithm. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof hpke.NotSupportedError;
}

/** Public keys that a suite imported last, the newest first: a client seals request after request to the same few. */
const imported = new WeakMap<HpkeSuite, { readonly bytes: Uint8Array; readonly key: HpkeKey }[]>();
const maxImported = 4;

/**
 * Imports a recipient's public key, or finds it among those that were imported last. Every use of one agrees on a key of its own.
 * @throws FastnessError `CHANNEL_SUITE_UNSUPPORTED` when the runtime lacks the KEM, `CHANNEL_KEY_CONFIG` when the bytes
 * are no public key of it.
 */
export async function importPublicKey(suite: HpkeSuite, publicKey: Uint8Array): Promise<HpkeKey> {
  const known = imported.get(suite) ?? [];
  const found = known.find(({ bytes }) => equalBytes(bytes, publicKey));
  if (found !== undefined) return found.key;
  try {
    const bytes = new Uint8Array(publicKey);
    const key = await suite.DeserializePublicKey(bytes);
    imported.set(suite, [{ bytes, key }, ...(imported.get(suite) ?? [])].slice(0, maxImported));
    return key;
  } catch (error) {
    if (isUnsupported(error))
      throw new FastnessError('CHANNEL_SUITE_UNSUPPORTED', `This runtime lacks ${suite.KEM.name}.`);
    throw new FastnessError('CHANNEL_KEY_CONFIG', `Not a public key of ${suite.KEM.name}.`);
  }
}
