import {
  defaultProtocol,
  outerTypesOf,
  protocolOfType,
  takeRefusalSealer,
  type GatewayResponse,
  type OhttpProtocol,
  type OpenedRequest,
  type ReceiptIssuer,
} from '@fastness/channel';
import { errorHeader } from '@fastness/channel/wire';
import { FastnessError } from '@fastness/codec/errors';
import { ApiError, errorResponse } from './inner/api-error.ts';
import { arrivingBody, type Place } from './admission.ts';
import type { Generation, KeyRing } from './key-ring.ts';
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
    throw new FastnessError('ENCLAVE_REQUEST', `The media type must be ${outerTypesOf(defaultProtocol).request}.`);
  }
  if (!ring.protocols.has(protocol)) throw new FastnessError('CHANNEL_PROTOCOL_REFUSED', `Not ${protocol}.`);
  if (request.body === null) throw new FastnessError('ENCLAVE_REQUEST', 'The body is empty.');
  const arriving = arrivingBody(request.body, place);
  const held = protocol === defaultProtocol ? arriving : options.unopened.hold(arriving);
  const { generation, stream } = await ring.generationFor(held);
  const reply = ohttpReply(protocol);
  let opened: OpenedRequest;
  try {
    opened = await generation.gateway.open(stream, protocol);
  } catch (error) {
    const seal = takeRefusalSealer(error);
    if (seal !== undefined) return refused({ ...options, began, seal, reply }, error);
    place.signal.throwIfAborted();
    throw await withoutFullCache(error, ring, generation);
  }
  return answerWhatOpened({ ...options, began, opened, reply, receipts: generation.receipts });
}

/** Makes the outer response out of the sealed body of an inner one. */
export type Reply = (
  inner: { readonly status: number; readonly headers: Headers },
  sealed: ReadableStream<Uint8Array>,
) => Response;

/** OHTTP: all that is outside is the media type. */
const ohttpReply =
  (protocol: OhttpProtocol): Reply =>
  (_inner, sealed) =>
    new Response(sealed, { headers: { 'content-type': outerTypesOf(protocol).response } });

/** What to tell whoever could not be answered: with a full replay cache, keys that have answered their last are replaced. */
export async function withoutFullCache(error: unknown, ring: KeyRing, generation: Generation): Promise<unknown> {
  if (!(error instanceof FastnessError) || error.code !== 'CHANNEL_REPLAY_CACHE_FULL') return error;
  // A replay cannot be told apart from a first request any more.
  if (ring.current === generation) await ring.rotate();
  return new FastnessError('CHANNEL_KEY_UNKNOWN', 'The keys were replaced.');
}

interface Answering extends SealedExchange {
  readonly began: number;
  readonly reply: Reply;
}

/** Answers a request that opened, if only with what is wrong with it. Absent `receipts`: the protocol has no room for one. */
export async function answerWhatOpened(
  options: Answering & { readonly opened: OpenedRequest; readonly receipts?: ReceiptIssuer },
): Promise<Response> {
  const { opened } = options;
  options.place.opened();
  try {
    return await answerOpened(options);
  } catch (error) {
    return refused({ ...options, seal: opened.sealResponse }, error);
  }
}

async function answerOpened({
  request,
  serving,
  place,
  stallMs,
  opened,
  reply,
  receipts,
}: Answering & { readonly opened: OpenedRequest; readonly receipts?: ReceiptIssuer }): Promise<Response> {
  const { lease, api, shape } = serving;
  const receiptFor = receipts?.trailersFor(opened);
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
  const trailers: GatewayResponse['trailers'] =
    receiptFor === undefined
      ? undefined
      : (end) => {
          lease.assertHeld();
          return receiptFor(end);
        };
  return reply(
    response,
    opened.sealResponse({
      status: response.status,
      headers: response.headers,
      body: response.body,
      ...(trailers === undefined ? {} : { trailers }),
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
    reply,
    seal,
  }: Answering & { readonly seal: OpenedRequest['sealResponse'] },
  cause: unknown,
): Promise<Response> {
  const error = told(place.signal.aborted ? place.signal.reason : cause);
  const whole = errorResponse(error);
  const response = shape === undefined ? whole : await shapedAnswer(whole, { began, shape, signal: request.signal });
  const headers = new Headers(response.headers);
  headers.set(errorHeader, error.code);
  return reply(
    { status: response.status, headers },
    seal({
      status: response.status,
      headers,
      body: response.body,
      ...(shape === undefined ? {} : { bodyChunk: shape.frameBytes }),
      filter: (source) => whenClosed(source, () => place.leave(), stallMs),
    }),
  );
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
