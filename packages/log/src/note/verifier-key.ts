import {
  concatBytes,
  equalBytes,
  fromBase64,
  fromHex,
  plainBytes,
  toBase64,
  toHex,
  utf8Encode,
} from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { sha256 } from '../merkle/hasher.ts';

/** What a key signs: notes as they are, or checkpoints as a witness, with a time (c2sp.org/tlog-cosignature). */
export type KeyAlgorithm = 'ed25519' | 'cosignature/v1';

/** Signature type identifier bytes of c2sp.org/signed-note. */
const typeOf: Readonly<Record<KeyAlgorithm, number>> = Object.freeze({ ed25519: 1, 'cosignature/v1': 4 });

/** A key that notes are verified with. Name and id together say which signature is its own. */
export interface VerifierKey {
  readonly name: string;
  /** First four bytes of SHA-256(name, newline, type, public key), hex. */
  readonly id: string;
  readonly algorithm: KeyAlgorithm;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The key as text, `NAME+ID+BASE64`. */
  readonly text: string;
}

/** Key names: not empty, without white space and without a plus sign. */
const namePattern = /^[^\s\p{Cc}\p{Cs}\p{Z}+]{1,255}$/u;

export function isKeyName(name: string): boolean {
  return namePattern.test(name);
}

/** Makes the verifier key of a public key. @throws LOG_KEY_MALFORMED */
export async function verifierKeyOf(options: {
  name: string;
  publicKey: Uint8Array;
  algorithm?: KeyAlgorithm;
}): Promise<VerifierKey> {
  const { name, publicKey, algorithm = 'ed25519' } = options;
  if (!isKeyName(name)) throw new FastnessError('LOG_KEY_MALFORMED', 'Its name is not one.');
  if (publicKey.length !== 32) throw new FastnessError('LOG_KEY_MALFORMED', 'Not 32 bytes.');
  const material = concatBytes(Uint8Array.of(typeOf[algorithm]), publicKey);
  const id = toHex((await sha256(concatBytes(utf8Encode(`${name}\n`), material))).subarray(0, 4));
  return Object.freeze({ name, id, algorithm, publicKey, text: `${name}+${id}+${toBase64(material)}` });
}

/** Reads `NAME+ID+BASE64`; the id is computed again and has to be the one that is written. @throws LOG_KEY_MALFORMED */
export async function parseVerifierKey(text: string): Promise<VerifierKey> {
  const [name = '', id = '', ...rest] = text.split('+');
  try {
    const written = fromHex(id);
    // The base64 may hold plus signs of its own.
    const material = fromBase64(rest.join('+'));
    const algorithm = (['ed25519', 'cosignature/v1'] as const).find((known) => typeOf[known] === material[0]);
    if (algorithm === undefined) throw new FastnessError('LOG_KEY_MALFORMED', 'Its type is not read here.');
    const key = await verifierKeyOf({ name, publicKey: material.slice(1), algorithm });
    if (!equalBytes(written, fromHex(key.id))) throw new FastnessError('LOG_KEY_MALFORMED', 'Its id is not its own.');
    return key;
  } catch (cause) {
    if (cause instanceof FastnessError && cause.code === 'LOG_KEY_MALFORMED') throw cause;
    throw new FastnessError('LOG_KEY_MALFORMED', undefined, { cause });
  }
}

/** Whether `signature` (64 bytes) over `message` is one of this Ed25519 key. */
export async function ed25519Verifies(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const { subtle } = globalThis.crypto;
  try {
    const key = await subtle.importKey('raw', plainBytes(publicKey), 'Ed25519', false, ['verify']);
    return await subtle.verify('Ed25519', key, plainBytes(signature), plainBytes(message));
  } catch {
    // A public key that is no point of the curve signs nothing.
    return false;
  }
}
