import { FastnessError } from '@fastness/codec/errors';
import { decodeResponse } from './bhttp/decode.ts';
import { incomplete } from './bhttp/incomplete.ts';
import { defaultMessageLimits } from './bhttp/limits.ts';
import { startResponseDigest } from './digest.ts';
import { truncated } from './ohttp/chunk-reader.ts';
import type { OhttpForm } from './ohttp/form.ts';
import { deriveResponseKey, responseNonceLength, type ResponseSecret } from './ohttp/response-key.ts';
import type { Primitives } from './primitives.ts';
import { PullReader } from './pull-reader.ts';
import { pullStream, streamSource, type StreamSource } from './stream-source.ts';

/** What is known of a response at its end. */
export interface ResponseEnd {
  readonly trailers: Headers;
  /** Digest of the response as a receipt states it, 32 bytes. */
  readonly responseDigest: Uint8Array;
}

export interface OpenResponseOptions {
  /**
   * Called when the whole response has been read and found complete, before the body closes; when it throws, the body
   * fails with what it threw. The place to check a receipt.
   */
  readonly onEnd?: (end: ResponseEnd) => Promise<void> | void;
  /** Stands between the opened body and its reader; sees the bytes after they were verified and digested. */
  readonly filter?: (source: StreamSource, head: { status: number; headers: Headers }) => StreamSource;
  /** Sealed bytes that the response may have in all. Default: 1 GiB. */
  readonly maxResponseBytes?: number;
}

/** An opened response. Its body closes only after the final chunk was verified; a cut stream is an error. */
export interface OpenedResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array>;
  /** Settles when the body closes. */
  readonly trailers: Promise<Headers>;
  /** Digest of the response as a receipt states it; settles when the body closes. */
  readonly responseDigest: Promise<Uint8Array>;
}

const defaultMaxResponseBytes = 2 ** 30;

export async function openResponse(
  options: {
    secret: Promise<ResponseSecret>;
    form: OhttpForm;
    primitives: Primitives;
    stream: ReadableStream<Uint8Array>;
  } & OpenResponseOptions,
): Promise<OpenedResponse> {
  const source = streamSource(options.stream);
  try {
    const reader = new PullReader(source.next, truncated);
    const secret = await options.secret;
    const responseNonce = await reader.take(responseNonceLength(secret.aead));
    const key = await deriveResponseKey(secret, responseNonce, 'decrypt');
    const limit = {
      bytes: options.maxResponseBytes ?? defaultMaxResponseBytes,
      code: 'CHANNEL_RESPONSE_TOO_LARGE',
    } as const;
    const nextPart = options.form.openResponse({ reader, key, limit });
    const message = await decodeResponse(new PullReader(nextPart, incomplete), defaultMessageLimits);
    const digest = startResponseDigest(message, options.primitives);
    const ended = Promise.withResolvers<ResponseEnd>();
    const trailers = ended.promise.then((end) => end.trailers);
    const responseDigest = ended.promise.then((end) => end.responseDigest);
    for (const promise of [trailers, responseDigest]) promise.catch(() => undefined);
    const next = async () => {
      const bytes = await message.nextBody();
      if (bytes !== undefined) {
        await digest.update(bytes);
        return bytes;
      }
      const end = { trailers: message.trailers(), responseDigest: await digest.finish() };
      await options.onEnd?.(end);
      ended.resolve(end);
      return undefined;
    };
    const cancel = async (reason?: unknown) => {
      ended.reject(reason instanceof Error ? reason : new FastnessError('CHANNEL_CANCELLED'));
      await source.cancel(reason);
    };
    const opened: StreamSource = { next, cancel };
    return {
      status: message.status,
      headers: message.headers,
      body: pullStream(options.filter?.(opened, message) ?? opened),
      trailers,
      responseDigest,
    };
  } catch (error) {
    void source.cancel(error);
    throw error;
  }
}
