import { defaultGatewayLimits, EhbpFrames, ehbpKeyHeader, type OpenedEhbpRequest } from '@fastness/channel';
import { FastnessError } from '@fastness/codec/errors';
import { arrivingBody } from './admission.ts';
import { answerWhatOpened, withoutFullCache, type Reply, type SealedExchange } from './channel.ts';
import type { Generation, KeyRing } from './key-ring.ts';

/**
 * A request of EHBP, at the path of the API itself: only its body is sealed. What stands outside is nobody's word, so nothing of
 * it but method and path reaches the API: no API key either, and every request is its own tenant. The answer shows status and
 * media type, and has no receipt.
 */
export async function answerEhbp(options: SealedExchange): Promise<Response> {
  const { request, place, serving, unopened } = options;
  const began = performance.now();
  const { ring } = serving;
  if (!ring.protocols.has('ehbp')) throw new FastnessError('CHANNEL_PROTOCOL_REFUSED', 'Not ehbp.');
  const encapsulatedKey = request.headers.get(ehbpKeyHeader);
  if (request.body === null || encapsulatedKey === null) throw new FastnessError('CHANNEL_UNSEALED');
  const { pathname, search } = new URL(request.url);
  const frames = new EhbpFrames(unopened.hold(arrivingBody(request.body, place)), {
    bytes: ring.requestBytes,
    chunks: defaultGatewayLimits.requestChunks,
    code: 'CHANNEL_REQUEST_TOO_LARGE',
  });
  try {
    const message = { method: request.method, path: `${pathname}${search}`, encapsulatedKey, frames };
    const opened = await openWithAny(ring, (generation) => generation.gateway.openEhbp(message));
    opened.request.headers.set('content-type', 'application/json');
    return await answerWhatOpened({ ...options, began, opened, reply: replyOf(opened) });
  } catch (error) {
    await frames.cancel(error);
    place.signal.throwIfAborted();
    throw error;
  }
}

/** No key id says which keys a request is for, so that replaced keys are tried after the current ones. */
async function openWithAny(
  ring: KeyRing,
  open: (generation: Generation) => Promise<OpenedEhbpRequest>,
): Promise<OpenedEhbpRequest> {
  let unopenable: unknown;
  for (const generation of ring.generations) {
    try {
      return await open(generation);
    } catch (error) {
      if (!(error instanceof FastnessError) || error.code !== 'CHANNEL_REQUEST_UNOPENABLE') {
        throw await withoutFullCache(error, ring, generation);
      }
      unopenable = error;
    }
  }
  throw unopenable;
}

function replyOf({ responseHeaders }: OpenedEhbpRequest): Reply {
  return ({ status, headers }, sealed) =>
    new Response(sealed, {
      status,
      headers: {
        'content-type': headers.get('content-type') ?? 'application/octet-stream',
        'cache-control': 'no-store',
        ...responseHeaders,
      },
    });
}
