import type { OpenedRequest } from '@fastness/channel';
import { mediaTypes } from '@fastness/channel/wire';
import { FastnessError } from '@fastness/codec/errors';
import { ApiError, errorResponse } from './inner/api-error.ts';
import { arrivingBody, type Place } from './admission.ts';
import type { Serving } from './serving.ts';
import { whenClosed } from './watched-stream.ts';

/**
 * POST /ohttp: opens a request, answers it inside, seals the answer, and signs a receipt over both at its end. Errors of
 * the channel itself are answered in the clear; everything else goes back through the channel.
 *
 * Leaves `place` when the answer has gone out or nobody wants it any more; when this throws, the caller does.
 */
export async function answerSealed(options: {
  readonly request: Request;
  readonly serving: Serving;
  readonly place: Place;
  readonly stallMs: number;
}): Promise<Response> {
  const { request, place } = options;
  const { lease, ring, api, shape } = options.serving;
  if (request.headers.get('content-type') !== mediaTypes.chunkedRequest) {
    throw new FastnessError('ENCLAVE_REQUEST', `The media type must be ${mediaTypes.chunkedRequest}.`);
  }
  if (request.body === null) throw new FastnessError('ENCLAVE_REQUEST', 'The body is empty.');
  const { gateway, receipts } = ring.current;
  let opened: OpenedRequest;
  try {
    opened = await gateway.open(arrivingBody(request.body, place));
  } catch (error) {
    place.signal.throwIfAborted();
    if (!(error instanceof FastnessError) || error.code !== 'CHANNEL_REPLAY_CACHE_FULL') throw error;
    // A replay cannot be told apart from a first request any more, so these keys have answered their last.
    if (ring.current.gateway === gateway) await ring.rotate();
    throw new FastnessError('CHANNEL_KEY_UNKNOWN', 'The keys were replaced.');
  }
  place.opened();
  const trailers = receipts.trailersFor(opened);
  lease.assertHeld();
  const response = await answer(opened, request.signal, api);
  // A request whose place was taken away has no digest, so its answer could have no receipt.
  place.signal.throwIfAborted();
  place.answered();
  const sealed = opened.sealResponse({
    status: response.status,
    headers: response.headers,
    body: response.body,
    trailers: (end) => {
      lease.assertHeld();
      return trailers(end);
    },
    // The frames of a stream stay what they are: each is sealed alone, and what follows them has one size too.
    ...(shape === undefined ? {} : { bodyChunk: shape.frameBytes }),
    filter: (source) => whenClosed(source, () => place.leave(), options.stallMs),
  });
  return new Response(sealed, { headers: { 'content-type': mediaTypes.chunkedResponse } });
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
