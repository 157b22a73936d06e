import { concatBytes, utf8Encode } from '@fastness/codec/bytes';
import { aeadNonceLength, aeads, type RecipientContext, type SenderContext } from '../hpke.ts';
import { webPrimitives, type AesGcm, type Hkdf, type Primitives } from '../primitives.ts';

/** Key of a response: AES-GCM under a key that cannot be read, and the nonce that counters are mixed into. */
export interface ResponseKey {
  readonly cipher: AesGcm;
  readonly baseNonce: Uint8Array;
}

/** Length in bytes of the response nonce and of the exported secret: max(Nn, Nk) (RFC 9458 section 4.4). */
export function responseNonceLength(aead: number): number {
  return Math.max(aeadNonceLength, aeads.get(aead)?.keyLength ?? 0);
}

/** The exported secret as an HKDF key: what a response key is derived from once its nonce is known. */
export interface ResponseSecret {
  readonly hkdf: Hkdf;
  readonly aead: number;
  readonly enc: Uint8Array;
}

/** RFC 9458 section 4.4, first step: `secret = Export(label)`. It needs no nonce, so it can run ahead of the response. */
export async function exportResponseSecret(options: {
  context: SenderContext | RecipientContext;
  label: string;
  aead: number;
  enc: Uint8Array;
  primitives?: Primitives;
}): Promise<ResponseSecret> {
  const { context, aead, enc, primitives = webPrimitives } = options;
  const secret = await context.Export(utf8Encode(options.label), responseNonceLength(aead));
  const hkdf = await primitives.hkdf(secret);
  secret.fill(0);
  return { hkdf, aead, enc };
}

const keyInfo = utf8Encode('key');
const nonceInfo = utf8Encode('nonce');

/** RFC 9458 section 4.4: `prk = Extract(enc | nonce, secret)`, then Expand for key and nonce. */
export async function deriveResponseKey(
  { hkdf, aead, enc }: ResponseSecret,
  responseNonce: Uint8Array,
  usage: 'encrypt' | 'decrypt',
): Promise<ResponseKey> {
  const salt = concatBytes(enc, responseNonce);
  const [cipher, baseNonce] = await Promise.all([
    hkdf.aesGcm(salt, keyInfo, aeads.get(aead)?.keyLength ?? 0, usage),
    hkdf.bytes(salt, nonceInfo, aeadNonceLength),
  ]);
  return { cipher, baseNonce };
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
