import { concatBytes } from '@fastness/codec/bytes';
import { encodeKnownRequest, encodeRequestHead, encodeTrailers } from './bhttp/encode.ts';
import { fieldLinesOf } from './bhttp/fields.ts';
import { streamedMessage, wholeMessage } from './bhttp/message-source.ts';
import { paddingFor } from './bhttp/padding.ts';
import { binaryRequestOf, controlOf, type BinaryRequest } from './binary-request.ts';
import { startRequestDigest, type MessageDigest } from './digest.ts';
import { sealStream, type PlaintextSource } from './ohttp/chunk-writer.ts';
import { chunkedLabels } from './ohttp/labels.ts';
import { acceptableKeys, sealRequestChunk, setUpFirst } from './ohttp/request-sealer.ts';
import { exportResponseSecret } from './ohttp/response-key.ts';
import { openResponse, type OpenedResponse, type OpenResponseOptions } from './open-response.ts';
import { streamSource } from './stream-source.ts';

/** A sealed request and the means to open its response, and no other. */
export interface SealedRequest {
  /** Body of the outer `POST`, media type `message/ohttp-chunked-req`. */
  readonly body: ReadableStream<Uint8Array>;
  /** Id of the gateway key the request is sealed to. */
  readonly keyId: number;
  /** The key agreement in use: `0x647a` X-Wing, `0x0020` X25519. */
  readonly kem: number;
  /** Digest of the request as a receipt states it; settles once `body` has been read to its end. */
  readonly requestDigest: Promise<Uint8Array>;
  /**
   * Opens the outer response's body, media type `message/ohttp-chunked-res`.
   * @throws FastnessError `CHANNEL_RESPONSE_MISMATCH`, `CHANNEL_CHUNK_*`, `CHANNEL_TRUNCATED`, `CHANNEL_HTTP_*`; after
   *   the head has been opened, the body stream fails with them
   */
  readonly openResponse: (stream: ReadableStream<Uint8Array>, options?: OpenResponseOptions) => Promise<OpenedResponse>;
}

/**
 * Seals a request to the gateway that holds `keyConfig`, which the caller has verified against evidence: this function
 * believes it. Requests are padded (see `paddedLength`).
 * @param options.keyConfig RFC 9458 key configuration list
 * @param options.allowX25519 accept the key agreement without post-quantum protection where the runtime lacks
 *   ML-KEM-768. Default: false
 * @throws FastnessError `CHANNEL_KEY_CONFIG`, `CHANNEL_SUITE_UNSUPPORTED`, `CHANNEL_HTTP_*`, `CHANNEL_BODY_TYPE`
 */
export async function sealRequest(options: {
  keyConfig: Uint8Array;
  request: BinaryRequest | Request;
  allowX25519?: boolean;
}): Promise<SealedRequest> {
  const request = binaryRequestOf(options.request);
  const digest = startRequestDigest(request);
  const done = Promise.withResolvers<Uint8Array>();
  done.promise.catch(() => undefined);
  const source = await messageOf(request, digest, done.resolve);
  const keys = acceptableKeys(options.keyConfig, options.allowX25519 ?? false);
  const { suite, header, enc, context } = await setUpFirst(keys, chunkedLabels);
  // Ready before the response is: what it is derived from does not depend on the response.
  const secret = exportResponseSecret({ context, label: chunkedLabels.response, aead: suite.aead, enc });
  secret.catch(() => undefined);
  return {
    body: sealStream({ prefix: concatBytes(header, enc), source, seal: sealRequestChunk(context) }),
    keyId: header[0] ?? 0,
    kem: suite.kem,
    requestDigest: done.promise,
    openResponse: (stream, openOptions = {}) => openResponse({ secret, stream, ...openOptions }),
  };
}

/** The request as padded binary HTTP: of known length when its body is on hand, of indeterminate length otherwise. */
async function messageOf(
  request: BinaryRequest,
  digest: MessageDigest,
  finished: (digest: Promise<Uint8Array>) => void,
): Promise<PlaintextSource> {
  const control = controlOf(request);
  const fields = fieldLinesOf(request.headers);
  const { body } = request;
  if (body instanceof ReadableStream) {
    return streamedMessage({
      head: encodeRequestHead({ ...control, fields }),
      body: streamSource(body),
      observe: (bytes) => digest.update(bytes),
      tail: (before) => {
        finished(digest.finish());
        const trailers = encodeTrailers([]);
        return Promise.resolve(concatBytes(trailers, paddingFor(before + trailers.length)));
      },
    });
  }
  const content = body ?? new Uint8Array(0);
  await digest.update(content);
  finished(digest.finish());
  const message = encodeKnownRequest({ ...control, fields, content });
  return wholeMessage(concatBytes(message, paddingFor(message.length)));
}
