import { concatBytes } from '@fastness/codec/bytes';
import { encodeResponseHead, encodeTrailers } from './bhttp/encode.ts';
import { fieldLinesOf } from './bhttp/fields.ts';
import { streamedMessage } from './bhttp/message-source.ts';
import { startResponseDigest } from './digest.ts';
import type { RecipientContext, SuiteId } from './hpke.ts';
import { sealSource, type SealChunk } from './ohttp/chunk-writer.ts';
import { chunkedLabels } from './ohttp/labels.ts';
import { sealResponseChunk } from './ohttp/response-chunks.ts';
import { deriveResponseKey, exportResponseSecret, responseNonceLength } from './ohttp/response-key.ts';
import type { Primitives } from './primitives.ts';
import { bodySource, pullStream, type MessageBody, type StreamSource } from './stream-source.ts';
import { randomBytes } from './web-crypto.ts';

/** Bytes that a padded trailer section is a multiple of. */
const trailerStep = 512;

/** A response to send through the channel. */
export interface GatewayResponse {
  /** 200 to 599. */
  readonly status: number;
  readonly headers?: HeadersInit;
  readonly body?: MessageBody;
  /**
   * Called when the body has ended, with the digest that a receipt states; gives the trailer fields. When it throws, the
   * response is cut, which the client sees.
   */
  readonly trailers?: (end: { responseDigest: Uint8Array }) => Promise<HeadersInit> | HeadersInit;
  /**
   * Bytes of the body in one sealed chunk. Each leaves as soon as it is there, whatever the gateway's interval, never with
   * bytes of the next, and what follows the body is padded to a multiple of 512 bytes: a body that comes in pieces of this
   * size and at a pace of its own keeps both on the wire. Default: as the gateway gathers them, nothing padded.
   */
  readonly bodyChunk?: number;
  /** Stands between the sealed chunks and their reader. */
  readonly filter?: (sealed: StreamSource) => StreamSource;
}

/** What one response is sealed with: a nonce of its own and the sealer of its chunks. */
export interface ResponseSealer {
  readonly responseNonce: Uint8Array;
  readonly seal: SealChunk;
}

/** Derives the key of the one response to a request while the application works on it. */
export function prepareResponse(options: {
  context: RecipientContext;
  enc: Uint8Array;
  suite: SuiteId;
  primitives: Primitives;
}): ResponseSealer {
  const { context, enc, suite, primitives } = options;
  const responseNonce = randomBytes(responseNonceLength(suite.aead));
  const sealer = exportResponseSecret({ context, label: chunkedLabels.response, aead: suite.aead, enc, primitives })
    .then((secret) => deriveResponseKey(secret, responseNonce, 'encrypt'))
    .then(sealResponseChunk);
  sealer.catch(() => undefined);
  return { responseNonce, seal: async (plaintext, final) => (await sealer)(plaintext, final) };
}

export function sealResponse(options: {
  sealer: ResponseSealer;
  response: GatewayResponse;
  chunkInterval: number;
  primitives: Primitives;
}): ReadableStream<Uint8Array> {
  const { response, chunkInterval, primitives } = options;
  const { responseNonce, seal } = options.sealer;
  const digest = startResponseDigest(response, primitives);
  const source = streamedMessage({
    head: encodeResponseHead({ status: response.status, fields: fieldLinesOf(response.headers) }),
    body: bodySource(response.body),
    observe: (bytes) => digest.update(bytes),
    interval: response.bodyChunk === undefined ? chunkInterval : 0,
    ...(response.bodyChunk === undefined ? {} : { most: response.bodyChunk }),
    tail: async () => {
      const responseDigest = await digest.finish();
      const trailers = encodeTrailers(fieldLinesOf(await response.trailers?.({ responseDigest })));
      if (response.bodyChunk === undefined) return trailers;
      const padded = Math.ceil(trailers.length / trailerStep) * trailerStep;
      return concatBytes(trailers, new Uint8Array(padded - trailers.length));
    },
  });
  const sealed = sealSource({ prefix: responseNonce, source, seal });
  return pullStream(response.filter?.(sealed) ?? sealed);
}
