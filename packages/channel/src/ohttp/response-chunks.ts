import { plainBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { OpenChunk } from './chunk-reader.ts';
import type { SealChunk } from './chunk-writer.ts';
import { finalAad } from './request-sealer.ts';
import { chunkNonce, type ResponseKey } from './response-key.ts';

/** Chunks one response may have: GCM's bound for one key, and below what a counter of 32 bits holds. */
const maxChunks = 2 ** 32 - 1;

/** Seals the chunks of a response, counting from zero. */
export function sealResponseChunk({ key, baseNonce }: ResponseKey): SealChunk {
  let counter = 0;
  return async (plaintext, final) => {
    if (counter >= maxChunks) throw new FastnessError('CHANNEL_RESPONSE_TOO_LARGE', `More than ${maxChunks} chunks.`);
    const parameters = parametersOf(baseNonce, counter, final);
    counter += 1;
    return new Uint8Array(await globalThis.crypto.subtle.encrypt(parameters, key, plainBytes(plaintext)));
  };
}

/** Opens the chunks of a response; the first that fails to open tells a response to another request. */
export function openResponseChunk({ key, baseNonce }: ResponseKey): OpenChunk {
  return async (ciphertext, final, index) => {
    try {
      const parameters = parametersOf(baseNonce, index, final);
      return new Uint8Array(await globalThis.crypto.subtle.decrypt(parameters, key, plainBytes(ciphertext)));
    } catch (error) {
      throw new FastnessError(index === 0 ? 'CHANNEL_RESPONSE_MISMATCH' : 'CHANNEL_CHUNK_TAG', undefined, {
        cause: error,
      });
    }
  };
}

function parametersOf(baseNonce: Uint8Array, counter: number, final: boolean): AesGcmParams {
  const iv = plainBytes(chunkNonce(baseNonce, counter));
  return final ? { name: 'AES-GCM', iv, additionalData: plainBytes(finalAad) } : { name: 'AES-GCM', iv };
}
