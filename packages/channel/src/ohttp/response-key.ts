import { concatBytes, plainBytes, utf8Encode } from '@fastness/codec/bytes';
import { aeadNonceLength, aeads, type RecipientContext, type SenderContext } from '../hpke.ts';

/** Key of a response: an AES-GCM key that cannot be exported, and the nonce that counters are mixed into. */
export interface ResponseKey {
  readonly key: CryptoKey;
  readonly baseNonce: Uint8Array;
}

/** Length in bytes of the response nonce and of the exported secret: max(Nn, Nk) (RFC 9458 section 4.4). */
export function responseNonceLength(aead: number): number {
  return Math.max(aeadNonceLength, aeads.get(aead)?.keyLength ?? 0);
}

/** The exported secret as an HKDF key: what a response key is derived from once its nonce is known. */
export interface ResponseSecret {
  readonly base: CryptoKey;
  readonly aead: number;
  readonly enc: Uint8Array;
}

/** RFC 9458 section 4.4, first step: `secret = Export(label)`. It needs no nonce, so it can run ahead of the response. */
export async function exportResponseSecret(options: {
  context: SenderContext | RecipientContext;
  label: string;
  aead: number;
  enc: Uint8Array;
}): Promise<ResponseSecret> {
  const { context, aead, enc } = options;
  const secret = await context.Export(utf8Encode(options.label), responseNonceLength(aead));
  const usages: KeyUsage[] = ['deriveBits', 'deriveKey'];
  const base = await globalThis.crypto.subtle.importKey('raw', plainBytes(secret), 'HKDF', false, usages);
  secret.fill(0);
  return { base, aead, enc };
}

/**
 * RFC 9458 section 4.4: `prk = Extract(enc | nonce, secret)`, then Expand for key and nonce. WebCrypto's HKDF extracts and
 * expands in one call, so neither the pseudorandom key nor the AEAD key is ever readable.
 */
export async function deriveResponseKey(
  { base, aead, enc }: ResponseSecret,
  responseNonce: Uint8Array,
  usage: 'encrypt' | 'decrypt',
): Promise<ResponseKey> {
  const { subtle } = globalThis.crypto;
  const salt = concatBytes(enc, responseNonce);
  const from = (info: string) => ({ name: 'HKDF', hash: 'SHA-256', salt, info: utf8Encode(info) });
  const length = (aeads.get(aead)?.keyLength ?? 0) * 8;
  const [key, nonce] = await Promise.all([
    subtle.deriveKey(from('key'), base, { name: 'AES-GCM', length }, false, [usage]),
    subtle.deriveBits(from('nonce'), base, aeadNonceLength * 8),
  ]);
  return { key, baseNonce: new Uint8Array(nonce) };
}

/** The nonce of response chunk `counter`: the base nonce XOR the counter, big-endian (draft 08 section 6.2). */
export function chunkNonce(baseNonce: Uint8Array, counter: number): Uint8Array {
  const nonce = baseNonce.slice();
  let rest = counter;
  for (let index = nonce.length - 1; rest > 0; index -= 1) {
    nonce[index] = (nonce[index] ?? 0) ^ (rest & 0xff);
    rest = Math.floor(rest / 256);
  }
  return nonce;
}
