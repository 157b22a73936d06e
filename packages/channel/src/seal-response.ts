import { encodeResponseHead, encodeTrailers } from './bhttp/encode.ts';
import { fieldLinesOf } from './bhttp/fields.ts';
import { streamedMessage } from './bhttp/message-source.ts';
import { startResponseDigest } from './digest.ts';
import type { RecipientContext, SuiteId } from './hpke.ts';
import { sealStream, type SealChunk } from './ohttp/chunk-writer.ts';
import { chunkedLabels } from './ohttp/labels.ts';
import { sealResponseChunk } from './ohttp/response-chunks.ts';
import { deriveResponseKey, responseNonceLength } from './ohttp/response-key.ts';
import { bodySource, type MessageBody } from './stream-source.ts';
import { randomBytes } from './web-crypto.ts';

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
}

export function sealResponse(options: {
  context: RecipientContext;
  enc: Uint8Array;
  suite: SuiteId;
  response: GatewayResponse;
  chunkInterval: number;
}): ReadableStream<Uint8Array> {
  const { context, enc, suite, response } = options;
  const digest = startResponseDigest(response);
  const source = streamedMessage({
    head: encodeResponseHead({ status: response.status, fields: fieldLinesOf(response.headers) }),
    body: bodySource(response.body),
    observe: (bytes) => digest.update(bytes),
    interval: options.chunkInterval,
    tail: async () => {
      const responseDigest = await digest.finish();
      return encodeTrailers(fieldLinesOf(await response.trailers?.({ responseDigest })));
    },
  });
  const responseNonce = randomBytes(responseNonceLength(suite.aead));
  const label = chunkedLabels.response;
  const key = deriveResponseKey({ context, label, aead: suite.aead, enc, responseNonce, usage: 'encrypt' });
  const sealer = key.then((made) => sealResponseChunk(made));
  sealer.catch(() => undefined);
  const seal: SealChunk = async (plaintext, final) => (await sealer)(plaintext, final);
  return sealStream({ prefix: responseNonce, source, seal });
}
