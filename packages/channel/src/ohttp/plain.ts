import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { RecipientContext, SenderContext, SuiteId } from '../hpke.ts';
import { plainLabels } from './labels.ts';
import { deriveResponseKey, exportResponseSecret, responseNonceLength } from './response-key.ts';

const emptyAad = new Uint8Array(0);

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
  const { cipher, baseNonce } = await deriveResponseKey(secret, responseNonce, 'encrypt');
  return concatBytes(responseNonce, await cipher.seal(baseNonce, emptyAad, response));
}

/** Opens a response in one piece. @throws FastnessError `CHANNEL_TRUNCATED`, `CHANNEL_RESPONSE_MISMATCH` */
export async function openPlainResponse(options: PlainExchange & { response: Uint8Array }): Promise<Uint8Array> {
  const { suite, response } = options;
  const length = responseNonceLength(suite.aead);
  if (response.length < length) throw new FastnessError('CHANNEL_TRUNCATED', 'Within the response nonce.');
  const secret = await exportResponseSecret({ ...options, label: plainLabels.response, aead: suite.aead });
  const { cipher, baseNonce } = await deriveResponseKey(secret, response.subarray(0, length), 'decrypt');
  try {
    return await cipher.open(baseNonce, emptyAad, response.subarray(length));
  } catch (error) {
    throw new FastnessError('CHANNEL_RESPONSE_MISMATCH', undefined, { cause: error });
  }
}
