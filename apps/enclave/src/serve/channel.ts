import {
  defaultProtocol,
  outerTypesOf,
  protocolOfType,
  takeRefusalSealer,
  type ChannelProtocol,
  type OpenedRequest,
  type ReceiptIssuer,
} from '@fastness/channel';
import { errorHeader } from '@fastness/channel/wire';
import { FastnessError } from '@fastness/codec/errors';
import { ApiError, errorResponse } from './inner/api-error.ts';
import { arrivingBody, type Place } from './admission.ts';
import type { Serving } from './serving.ts';
import { shapedAnswer } from './traffic/whole-answer.ts';
import type { UnopenedRoom } from './unopened-room.ts';
import { whenClosed } from './watched-stream.ts';

export interface SealedExchange {
  readonly request: Request;
  readonly serving: Serving;
  readonly place: Place;
  readonly stallMs: number;
  /** Room for requests that open only when all of them is here. */
  readonly unopened: UnopenedRoom;
  /** What may be said of an error, to the client alone. */
  readonly told: (error: unknown) => FastnessError;
}

/**
 * POST /ohttp: opens a request, answers it inside, seals the answer, and signs a receipt over both at its end. Errors of
 * the channel itself are answered in the clear, which is what this throws: they come before any content was read. All others
 * go back through the channel, so that whoever carries it sees an answer like any other.
 *
 * Leaves `place` when the answer has gone out or nobody wants it any more; when this throws, the caller does.
 */
export async function answerSealed(options: SealedExchange): Promise<Response> {
  const { request, place, serving } = options;
  const began = performance.now();
  const { ring } = serving;
  const protocol = protocolOfType(request.headers.get('content-type'));
  if (protocol === undefined) {
    const types = [...ring.protocols].map((each) => outerTypesOf(each).request);
    throw new FastnessError('ENCLAVE_REQUEST', `The media type must be ${types.join(' or ')}.`);
  }
  if (!ring.protocols.has(protocol)) throw new FastnessError('CHANNEL_PROTOCOL_REFUSED', `Not ${protocol}.`);
  if (request.body === null) throw new FastnessError('ENCLAVE_REQUEST', 'The body is empty.');
  const arriving = arrivingBody(request.body, place);
  const held = protocol === defaultProtocol ? arriving : options.unopened.hold(arriving);
  const { generation, stream } = await ring.generationFor(held);
  let opened: OpenedRequest;
  try {
    opened = await generation.gateway.open(stream, protocol);
  } catch (error) {
    const seal = takeRefusalSealer(error);
    if (seal !== undefined) return refused({ ...options, began, protocol, seal }, error);
    place.signal.throwIfAborted();
    if (!(error instanceof FastnessError) || error.code !== 'CHANNEL_REPLAY_CACHE_FULL') throw error;
    // A replay cannot be told apart from a first request any more, so these keys have answered their last.
    if (ring.current === generation) await ring.rotate();
    throw new FastnessError('CHANNEL_KEY_UNKNOWN', 'The keys were replaced.');
  }
  place.opened();
  try {
    return await answerOpened(options, opened, generation.receipts);
  } catch (error) {
    return refused({ ...options, began, protocol, seal: opened.sealResponse }, error);
  }
}

async function answerOpened(
  { request, serving, place, stallMs }: SealedExchange,
  opened: OpenedRequest,
  receipts: ReceiptIssuer,
): Promise<Response> {
  const { lease, api, shape } = serving;
  const trailers = receipts.trailersFor(opened);
  lease.assertHeld();
  let broken: unknown;
  opened.requestDigest.catch((error: unknown) => (broken = error));
  const response = await answer(opened, request.signal, api);
  if (broken !== undefined) {
    // What the API made of a request that did not arrive whole could have no receipt, and would be cut at its end.
    await response.body?.cancel().catch(() => undefined);
    throw broken;
  }
  // A request whose place was taken away has no digest, so its answer could have no receipt.
  place.signal.throwIfAborted();
  place.answered();
  return sealedBody(
    opened.protocol,
    opened.sealResponse({
      status: response.status,
      headers: response.headers,
      body: response.body,
      trailers: (end) => {
        lease.assertHeld();
        return trailers(end);
      },
      // The frames of a stream stay what they are: each is sealed alone, and what follows them has one size too.
      ...(shape === undefined ? {} : { bodyChunk: shape.frameBytes }),
      filter: (source) => whenClosed(source, () => place.leave(), stallMs),
    }),
  );
}

/** Tells the client, and nobody else, why there is no answer. Without a receipt: the request may not have been read whole. */
async function refused(
  {
    request,
    serving: { shape },
    place,
    stallMs,
    told,
    began,
    protocol,
    seal,
  }: SealedExchange & { began: number; protocol: ChannelProtocol; seal: OpenedRequest['sealResponse'] },
  cause: unknown,
): Promise<Response> {
  const error = told(place.signal.aborted ? place.signal.reason : cause);
  const whole = errorResponse(error);
  const response = shape === undefined ? whole : await shapedAnswer(whole, { began, shape, signal: request.signal });
  const headers = new Headers(response.headers);
  headers.set(errorHeader, error.code);
  return sealedBody(
    protocol,
    seal({
      status: response.status,
      headers,
      body: response.body,
      ...(shape === undefined ? {} : { bodyChunk: shape.frameBytes }),
      filter: (source) => whenClosed(source, () => place.leave(), stallMs),
    }),
  );
}

function sealedBody(protocol: ChannelProtocol, sealed: ReadableStream<Uint8Array>): Response {
  return new Response(sealed, { headers: { 'content-type': outerTypesOf(protocol).response } });
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
