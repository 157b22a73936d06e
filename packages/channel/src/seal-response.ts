import { concatBytes } from '@fastness/codec/bytes';
import { encodeResponseHead, encodeTrailers } from './bhttp/encode.ts';
import { fieldLinesOf } from './bhttp/fields.ts';
import { streamedMessage } from './bhttp/message-source.ts';
import { startResponseDigest } from './digest.ts';
import type { RecipientContext, SuiteId } from './hpke.ts';
import { paddingFor } from './bhttp/padding.ts';
import type { PlaintextSource } from './ohttp/chunk-writer.ts';
import type { OhttpForm } from './ohttp/form.ts';
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

/** What one response is sealed with: a key of its own, and the form of the request. */
export interface ResponseSealer {
  readonly form: OhttpForm;
  /** Once. */
  readonly seal: (source: PlaintextSource) => StreamSource;
}

/** Derives the key of the one response to a request while the application works on it. */
export function prepareResponse(options: {
  context: RecipientContext;
  enc: Uint8Array;
  suite: SuiteId;
  form: OhttpForm;
  primitives: Primitives;
}): ResponseSealer {
  const { context, enc, suite, form, primitives } = options;
  const responseNonce = randomBytes(responseNonceLength(suite.aead));
  const label = form.labels.response;
  const key = exportResponseSecret({ context, label, aead: suite.aead, enc, primitives }).then((secret) =>
    deriveResponseKey(secret, responseNonce, 'encrypt'),
  );
  key.catch(() => undefined);
  return { form, seal: (source) => form.sealResponse({ prefix: responseNonce, source, key }) };
}

export function sealResponse(options: {
  sealer: ResponseSealer;
  response: GatewayResponse;
  chunkInterval: number;
  primitives: Primitives;
}): ReadableStream<Uint8Array> {
  const { response, chunkInterval, primitives } = options;
  const { form, seal } = options.sealer;
  const digest = startResponseDigest(response, primitives);
  const source = streamedMessage({
    head: encodeResponseHead({ status: response.status, fields: fieldLinesOf(response.headers) }),
    body: bodySource(response.body),
    observe: (bytes) => digest.update(bytes),
    interval: response.bodyChunk === undefined ? chunkInterval : 0,
    ...(response.bodyChunk === undefined ? {} : { most: response.bodyChunk }),
    tail: async (before) => {
      const responseDigest = await digest.finish();
      const trailers = encodeTrailers(fieldLinesOf(await response.trailers?.({ responseDigest })));
      if (response.bodyChunk === undefined) {
        return form.whole ? concatBytes(trailers, paddingFor(before + trailers.length)) : trailers;
      }
      const padded = Math.ceil(trailers.length / trailerStep) * trailerStep;
      return concatBytes(trailers, new Uint8Array(padded - trailers.length));
    },
  });
  const sealed = seal(source);
  return pullStream(response.filter?.(sealed) ?? sealed);
}
