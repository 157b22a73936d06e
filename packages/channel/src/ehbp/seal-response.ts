import { concatBytes, toHex, u32be } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { BodyBuffer } from '../bhttp/body-buffer.ts';
import { aeadAes256Gcm, type RecipientContext } from '../hpke.ts';
import { maxChunkPlaintext } from '../ohttp/chunk-reader.ts';
import { sealResponseChunk } from '../ohttp/response-chunks.ts';
import {
  deriveResponseKey,
  exportResponseSecret,
  responseNonceLength,
  type ResponseKey,
} from '../ohttp/response-key.ts';
import type { Primitives } from '../primitives.ts';
import type { GatewayResponse } from '../seal-response.ts';
import { bodySource, pullStream, type StreamSource } from '../stream-source.ts';
import { randomBytes } from '../web-crypto.ts';
import { ehbpResponseLabel } from './labels.ts';

/** Derives the key of the one response to a request, as OHTTP does, under a label of EHBP's own. `nonce` goes outside. */
export function prepareEhbpResponse(options: { context: RecipientContext; enc: Uint8Array; primitives: Primitives }): {
  readonly nonce: string;
  readonly key: Promise<ResponseKey>;
} {
  const nonce = randomBytes(responseNonceLength(aeadAes256Gcm));
  const key = exportResponseSecret({ ...options, label: ehbpResponseLabel, aead: aeadAes256Gcm }).then((secret) =>
    deriveResponseKey(secret, nonce, 'encrypt'),
  );
  key.catch(() => undefined);
  return { nonce: toHex(nonce), key };
}

/** The body of a response in frames. Status and fields are the caller's to send, in the clear; there is room for no trailers. */
export function sealEhbpResponse(options: {
  key: Promise<ResponseKey>;
  response: GatewayResponse;
  chunkInterval: number;
}): ReadableStream<Uint8Array> {
  const { key, response, chunkInterval } = options;
  if (response.trailers !== undefined) throw new FastnessError('CHANNEL_HTTP_FIELD', 'EHBP has no trailers.');
  const source = bodySource(response.body);
  const sealed = source === undefined ? nothing : framesOf({ key, source, chunkInterval, most: response.bodyChunk });
  return pullStream(response.filter?.(sealed) ?? sealed);
}

const nothing: StreamSource = { next: () => Promise.resolve(undefined), cancel: () => Promise.resolve() };

/** A frame of what has arrived, at most one in `chunkInterval` milliseconds; of `most` bytes each where that is given. */
function framesOf(options: {
  key: Promise<ResponseKey>;
  source: StreamSource;
  chunkInterval: number;
  most: number | undefined;
}): StreamSource {
  const { key, source, chunkInterval, most } = options;
  const sealer = key.then(sealResponseChunk);
  sealer.catch(() => undefined);
  const body = new BodyBuffer(source, () => undefined);
  let last = -Infinity;
  return {
    cancel: (reason) => body.cancel(reason),
    next: async () => {
      await body.arrived();
      const early = most === undefined ? chunkInterval - (globalThis.performance.now() - last) : 0;
      if (early > 0) await body.gathered(early, maxChunkPlaintext);
      if (body.ended()) return undefined;
      const bytes = body.cut(most ?? maxChunkPlaintext);
      last = globalThis.performance.now();
      const sealed = await (await sealer)(bytes, false);
      return concatBytes(u32be(sealed.length), sealed);
    },
  };
}
