import { concatBytes, plainBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { RecipientContext, SenderContext, SuiteId } from '../hpke.ts';
import { plainLabels } from './labels.ts';
import { deriveResponseKey, exportResponseSecret, responseNonceLength } from './response-key.ts';

/** One side of an exchange after HPKE's set-up with `plainLabels`. */
export interface PlainExchange {
  readonly context: SenderContext | RecipientContext;
  readonly enc: Uint8Array;
  readonly suite: SuiteId;
}

/** Seals a binary HTTP response in one piece (RFC 9458 section 4.4). `responseNonce` is random, `max(Nn, Nk)` bytes. */
export async function sealPlainResponse(
  options: PlainExchange & { responseNonce: Uint8Array; response: Uint8Array },
): Promise<Uint8Array> {
  const { suite, responseNonce, response } = options;
  const secret = await exportResponseSecret({ ...options, label: plainLabels.response, aead: suite.aead });
  const { key, baseNonce } = await deriveResponseKey(secret, responseNonce, 'encrypt');
  const parameters = { name: 'AES-GCM', iv: plainBytes(baseNonce) };
  const sealed = await globalThis.crypto.subtle.encrypt(parameters, key, plainBytes(response));
  return concatBytes(responseNonce, new Uint8Array(sealed));
}

/** Opens a response in one piece. @throws FastnessError `CHANNEL_TRUNCATED`, `CHANNEL_RESPONSE_MISMATCH` */
export async function openPlainResponse(options: PlainExchange & { response: Uint8Array }): Promise<Uint8Array> {
  const { suite, response } = options;
  const length = responseNonceLength(suite.aead);
  if (response.length < length) throw new FastnessError('CHANNEL_TRUNCATED', 'Within the response nonce.');
  const secret = await exportResponseSecret({ ...options, label: plainLabels.response, aead: suite.aead });
  const { key, baseNonce } = await deriveResponseKey(secret, response.subarray(0, length), 'decrypt');
  try {
    const parameters = { name: 'AES-GCM', iv: plainBytes(baseNonce) };
    const opened = await globalThis.crypto.subtle.decrypt(parameters, key, plainBytes(response.subarray(length)));
    return new Uint8Array(opened);
  } catch (error) {
    throw new FastnessError('CHANNEL_RESPONSE_MISMATCH', undefined, { cause: error });
  }
}
