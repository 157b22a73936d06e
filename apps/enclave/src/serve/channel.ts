import type { OpenedRequest } from '@fastness/channel';
import { mediaTypes } from '@fastness/channel/wire';
import { FastnessError } from '@fastness/codec/errors';
import { ApiError, errorResponse } from './inner/api-error.ts';
import type { Serving } from './serving.ts';

/**
 * POST /ohttp: opens a request, answers it inside, seals the answer, and signs a receipt over both at its end. Errors of
 * the channel itself are answered in the clear; everything else goes back through the channel.
 *
 * `done` is called once, when the answer has gone out or nobody wants it any more.
 */
export async function answerSealed(request: Request, serving: Serving, done: () => void): Promise<Response> {
  const { lease, ring, api } = serving;
  if (request.headers.get('content-type') !== mediaTypes.chunkedRequest) {
    throw new FastnessError('ENCLAVE_REQUEST', `The media type must be ${mediaTypes.chunkedRequest}.`);
  }
  if (request.body === null) throw new FastnessError('ENCLAVE_REQUEST', 'The body is empty.');
  const { gateway, receipts } = ring.current;
  let opened: OpenedRequest;
  try {
    opened = await gateway.open(request.body);
  } catch (error) {
    if (!(error instanceof FastnessError) || error.code !== 'CHANNEL_REPLAY_CACHE_FULL') throw error;
    // A replay cannot be told apart from a first request any more, so these keys have answered their last.
    if (ring.current.gateway === gateway) await ring.rotate();
    throw new FastnessError('CHANNEL_KEY_UNKNOWN', 'The keys were replaced.');
  }
  const trailers = receipts.trailersFor(opened);
  lease.assertHeld();
  const response = await answer(opened, request.signal, api);
  const sealed = opened.sealResponse({
    status: response.status,
    headers: response.headers,
    body: response.body,
    trailers: (end) => {
      lease.assertHeld();
      return trailers(end);
    },
  });
  return new Response(whenClosed(sealed, done), { headers: { 'content-type': mediaTypes.chunkedResponse } });
}

async function answer(opened: OpenedRequest, signal: AbortSignal, api: Serving['api']): Promise<Response> {
  const { method, path, headers, body } = opened.request;
  let inner: Request;
  try {
    const withBody = method === 'GET' || method === 'HEAD' ? {} : { body, duplex: 'half' as const };
    inner = new Request(new URL(path, 'https://enclave.invalid'), { method, headers, signal, ...withBody });
  } catch {
    return errorResponse(new ApiError(new FastnessError('ENCLAVE_REQUEST', 'Method or path is refused.')));
  }
  return api(inner);
}

/** Passes a stream on and tells when it ended, broke, or was dropped. */
function whenClosed(stream: ReadableStream<Uint8Array>, done: () => void): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done: ended } = await reader.read();
          if (!ended) {
            controller.enqueue(value);
            return;
          }
          controller.close();
          done();
        } catch (error) {
          controller.error(error);
          done();
        }
      },
      async cancel(reason) {
        done();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
