import { FastnessError } from '@fastness/codec/errors';
import type { OpenChunk } from './chunk-reader.ts';
import type { SealChunk } from './chunk-writer.ts';
import { finalAad } from './request-sealer.ts';
import { chunkNonce, type ResponseKey } from './response-key.ts';

/** Chunks one response may have: GCM's bound for one key, and below what a counter of 32 bits holds. */
const maxChunks = 2 ** 32 - 1;
const emptyAad = new Uint8Array(0);

/** Seals the chunks of a response, counting from zero. */
export function sealResponseChunk({ cipher, baseNonce }: ResponseKey): SealChunk {
  let counter = 0;
  return async (plaintext, final) => {
    if (counter >= maxChunks) throw new FastnessError('CHANNEL_RESPONSE_TOO_LARGE', `More than ${maxChunks} chunks.`);
    const nonce = chunkNonce(baseNonce, counter);
    counter += 1;
    return cipher.seal(nonce, final ? finalAad : emptyAad, plaintext);
  };
}

/** Opens the chunks of a response; the first that fails to open tells a response to another request. */
export function openResponseChunk({ cipher, baseNonce }: ResponseKey): OpenChunk {
  return async (ciphertext, final, index) => {
    try {
      return await cipher.open(chunkNonce(baseNonce, index), final ? finalAad : emptyAad, ciphertext);
    } catch (error) {
      throw new FastnessError(index === 0 ? 'CHANNEL_RESPONSE_MISMATCH' : 'CHANNEL_CHUNK_TAG', undefined, {
        cause: error,
      });
    }
  };
}
