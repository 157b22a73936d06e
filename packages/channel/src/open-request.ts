import { FastnessError } from '@fastness/codec/errors';
import { decodeRequest } from './bhttp/decode.ts';
import { incomplete } from './bhttp/incomplete.ts';
import type { MessageLimits } from './bhttp/limits.ts';
import { startRequestDigest } from './digest.ts';
import { gatewayPrimitives, type GatewayKeys } from './gateway-keys.ts';
import { truncated } from './ohttp/chunk-reader.ts';
import { openRequestContext } from './ohttp/request-opener.ts';
import { formOf, type ChannelProtocol, type OhttpProtocol } from './protocol.ts';
import { openedFrom } from './opened.ts';
import { PullReader } from './pull-reader.ts';
import type { ReplayCache } from './replay-cache.ts';
import { prepareResponse, sealResponse, type GatewayResponse } from './seal-response.ts';
import { noteRefusal } from './sealed-refusal.ts';
import { streamSource } from './stream-source.ts';

/** Limits of a gateway; sizes in bytes. */
export interface GatewayLimits extends MessageLimits {
  /** Sealed bytes of one request in all. */
  readonly requestBytes: number;
  /** Sealed chunks of one request in all. */
  readonly requestChunks: number;
}

/** A request that came through the channel. Its body closes only after the final chunk was verified. */
export interface GatewayRequest {
  readonly method: string;
  readonly authority: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array>;
  /** Settles when the body closes. */
  readonly trailers: Promise<Headers>;
}

export interface OpenedRequest<P extends ChannelProtocol = ChannelProtocol> {
  readonly request: GatewayRequest;
  /** Digest of the request as a receipt states it; settles when the body closes, rejects when it fails. */
  readonly requestDigest: Promise<Uint8Array>;
  /**
   * Reads and drops what is left of the body; whoever still reads it gets `CHANNEL_CANCELLED`. Cancelling the body does
   * the same: only a request that was read to its end has a digest. Never throws.
   */
  readonly discardBody: () => Promise<void>;
  /** The key agreement the client used: `0x647a` X-Wing, `0x0020` X25519. */
  readonly kem: number;
  /** How the request came, and how its response goes. */
  readonly protocol: P;
  /**
   * Seals the one response to this request: body of the outer response. Of OHTTP, `outerTypesOf(protocol)` has its
   * media type; of EHBP, status and fields go beside it in the clear, and trailers are refused.
   * @throws FastnessError `CHANNEL_HTTP_*`, `CHANNEL_BODY_TYPE`; `CHANNEL_ALREADY_ANSWERED` for a second response
   */
  readonly sealResponse: (response: GatewayResponse) => ReadableStream<Uint8Array>;
}

/** Opens one request; see `Gateway.open`. Where its content is at fault, `takeRefusalSealer` has the means to say so. */
export async function openRequest(options: {
  stream: ReadableStream<Uint8Array>;
  protocol: OhttpProtocol;
  keys: () => GatewayKeys;
  replayCache: ReplayCache;
  limits: GatewayLimits;
  chunkInterval: number;
}): Promise<OpenedRequest<OhttpProtocol>> {
  const { protocol, keys, replayCache, limits, chunkInterval } = options;
  const form = formOf(protocol);
  const source = streamSource(options.stream);
  try {
    const reader = new PullReader(source.next, truncated);
    const { context, enc, suite, usedKeys } = await openRequestContext(reader, keys, form.labels);
    const primitives = gatewayPrimitives(usedKeys);
    const { requestBytes: bytes, requestChunks: chunks } = limits;
    const limit = { bytes, chunks, code: 'CHANNEL_REQUEST_TOO_LARGE' } as const;
    const nextPart = form.openRequest({ reader, context, limit });
    // Remembered only once the first chunk authenticates: noise cannot fill the cache.
    const [first, replayDigest] = await Promise.all([nextPart(), primitives.sha256(enc)]);
    // Rotation emptied the cache: a request to the keys before it could have been answered already.
    if (keys() !== usedKeys) throw new FastnessError('CHANNEL_KEY_UNKNOWN', 'The keys were rotated meanwhile.');
    replayCache.claim(replayDigest);
    const sealer = prepareResponse({ context, enc, suite, form, primitives });
    let answered = false;
    const seal = (response: GatewayResponse): ReadableStream<Uint8Array> => {
      // A second response would be sealed with the nonces of the first.
      if (answered) throw new FastnessError('CHANNEL_ALREADY_ANSWERED');
      const stream = sealResponse({ sealer, response, chunkInterval, primitives });
      answered = true;
      return stream;
    };
    let pending: Uint8Array | undefined = first;
    const nextChunk = async () => {
      const chunk = pending ?? (await nextPart());
      pending = undefined;
      return chunk;
    };
    const message = await decodeRequest(new PullReader(nextChunk, incomplete), limits).catch((error: unknown) => {
      noteRefusal(error, seal);
      throw error;
    });
    return {
      ...openedFrom({
        message,
        control: message,
        digest: startRequestDigest(message, primitives),
        cancel: source.cancel,
      }),
      kem: suite.kem,
      protocol,
      sealResponse: seal,
    };
  } catch (error) {
    void source.cancel(error);
    throw error;
  }
}
