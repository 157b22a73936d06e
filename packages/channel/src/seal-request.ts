import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { encodeKnownRequest, encodeRequestHead, encodeTrailers } from './bhttp/encode.ts';
import { fieldLinesOf } from './bhttp/fields.ts';
import { streamedMessage, wholeMessage } from './bhttp/message-source.ts';
import { paddingFor } from './bhttp/padding.ts';
import { binaryRequestOf, controlOf, type BinaryRequest } from './binary-request.ts';
import { startRequestDigest, type MessageDigest } from './digest.ts';
import type { PlaintextSource } from './ohttp/chunk-writer.ts';
import { acceptableKeys, setUpFirst, type RequestContext } from './ohttp/request-sealer.ts';
import { exportResponseSecret, type ResponseSecret } from './ohttp/response-key.ts';
import { openResponse, type OpenedResponse, type OpenResponseOptions } from './open-response.ts';
import { webPrimitives, type Primitives } from './primitives.ts';
import { defaultProtocol, formOf, type OhttpProtocol } from './protocol.ts';
import { streamSource } from './stream-source.ts';

/** A sealed request and the means to open its response, and no other. */
export interface SealedRequest {
  /** How it goes; `outerTypesOf(protocol)` has the media types. */
  readonly protocol: OhttpProtocol;
  /** Body of the outer `POST`. */
  readonly body: ReadableStream<Uint8Array>;
  /** Id of the gateway key the request is sealed to. */
  readonly keyId: number;
  /** The key agreement in use: `0x647a` X-Wing, `0x0020` X25519. */
  readonly kem: number;
  /** Digest of the request as a receipt states it; settles once `body` has been read to its end. */
  readonly requestDigest: Promise<Uint8Array>;
  /**
   * Opens the outer response's body. One that was sealed for another protocol does not open.
   * @throws FastnessError `CHANNEL_RESPONSE_MISMATCH`, `CHANNEL_CHUNK_*`, `CHANNEL_TRUNCATED`, `CHANNEL_HTTP_*`; after
   *   the head has been opened, the body stream fails with them
   */
  readonly openResponse: (stream: ReadableStream<Uint8Array>, options?: OpenResponseOptions) => Promise<OpenedResponse>;
}

/** A key agreement made ahead of the request that will use it. It serves one request. */
export interface PreparedSeal {
  /** The key agreement in use: `0x647a` X-Wing, `0x0020` X25519. */
  readonly kem: number;
  readonly protocol: OhttpProtocol;
}

interface Prepared extends RequestContext {
  readonly protocol: OhttpProtocol;
  readonly secret: Promise<ResponseSecret>;
  readonly primitives: Primitives;
}

/** Which keys a request may be sealed to. */
export interface SealTarget {
  /** RFC 9458 key configuration list, which the caller has verified against evidence: it is believed. */
  readonly keyConfig: Uint8Array;
  /** Accept X25519 alone, without post-quantum protection, where the runtime lacks ML-KEM-768. Default: false. */
  readonly allowX25519?: boolean;
  /** Default: chunked OHTTP. */
  readonly protocol?: OhttpProtocol;
  /** Default: WebCrypto's. */
  readonly primitives?: Primitives;
}

const preparations = new WeakMap<PreparedSeal, Prepared>();

/**
 * Agrees on a key for a request to come: about a millisecond that the request then does not wait for.
 * @throws FastnessError `CHANNEL_KEY_CONFIG`, `CHANNEL_SUITE_UNSUPPORTED`
 */
export async function prepareSeal(target: SealTarget): Promise<PreparedSeal> {
  const keys = acceptableKeys(target.keyConfig, target.allowX25519 ?? false);
  const { primitives = webPrimitives, protocol = defaultProtocol } = target;
  const { labels } = formOf(protocol);
  const request = await setUpFirst(keys, labels, primitives);
  const { suite, enc, context } = request;
  // Ready before the response is: what it is derived from does not depend on the response.
  const secret = exportResponseSecret({ context, label: labels.response, aead: suite.aead, enc, primitives });
  secret.catch(() => undefined);
  const prepared: PreparedSeal = Object.freeze({ kem: suite.kem, protocol });
  preparations.set(prepared, { ...request, protocol, secret, primitives });
  return prepared;
}

/**
 * Seals a request to a gateway. Requests are padded (see `paddedLength`).
 * @param options.leastBytes requests below this many bytes share a bucket. Default: 512
 * @param options.prepared in place of `keyConfig`: a key agreement that was prepared and not used yet
 * @throws FastnessError `CHANNEL_KEY_CONFIG`, `CHANNEL_SUITE_UNSUPPORTED`, `CHANNEL_PREPARED_USED`, `CHANNEL_HTTP_*`,
 *   `CHANNEL_BODY_TYPE`
 */
export async function sealRequest(
  options: { request: BinaryRequest | Request; leastBytes?: number } & (SealTarget | { prepared: PreparedSeal }),
): Promise<SealedRequest> {
  const request = binaryRequestOf(options.request);
  const prepared = 'prepared' in options ? options.prepared : await prepareSeal(options);
  const { suite, protocol, header, enc, context, secret, primitives } = take(prepared);
  const form = formOf(protocol);
  const digest = startRequestDigest(request, primitives);
  const done = Promise.withResolvers<Uint8Array>();
  done.promise.catch(() => undefined);
  const source = await messageOf({ request, digest, finished: done.resolve, least: options.leastBytes ?? 0 });
  return {
    protocol,
    body: form.sealRequest({ prefix: concatBytes(header, enc), source, context }),
    keyId: header[0] ?? 0,
    kem: suite.kem,
    requestDigest: done.promise,
    openResponse: (stream, openOptions = {}) => openResponse({ secret, form, primitives, stream, ...openOptions }),
  };
}

/** A second request under one agreement would be refused as a replay, and could be told to come from the same client. */
function take(prepared: PreparedSeal): Prepared {
  const made = preparations.get(prepared);
  if (made === undefined) throw new FastnessError('CHANNEL_PREPARED_USED');
  preparations.delete(prepared);
  return made;
}

/** The request as padded binary HTTP: of known length when its body is on hand, of indeterminate length otherwise. */
async function messageOf(options: {
  request: BinaryRequest;
  digest: MessageDigest;
  finished: (digest: Promise<Uint8Array>) => void;
  least: number;
}): Promise<PlaintextSource> {
  const { request, digest, finished, least } = options;
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
        return Promise.resolve(concatBytes(trailers, paddingFor(before + trailers.length, least)));
      },
    });
  }
  const content = body ?? new Uint8Array(0);
  await digest.update(content);
  finished(digest.finish());
  const message = encodeKnownRequest({ ...control, fields, content });
  return wholeMessage(concatBytes(message, paddingFor(message.length, least)));
}
