import { utf8Encode } from '@fastness/codec/bytes';
import {
  createGateway,
  createReplayCache,
  generateGatewayKeys,
  sealRequest,
  type BinaryRequest,
  type Gateway,
  type GatewayLimits,
  type GatewayResponse,
  type OpenedRequest,
  type SealedRequest,
} from '../../src/index.ts';
import { readAll, streamOf } from './bytes.ts';

export async function newGateway(
  options: { capacity?: number; limits?: Partial<GatewayLimits>; chunkInterval?: number } = {},
): Promise<Gateway> {
  const { capacity, ...rest } = options;
  const replayCache = createReplayCache(capacity === undefined ? {} : { capacity });
  return createGateway({ keys: await generateGatewayKeys(), replayCache, ...rest });
}

export const samplePost: BinaryRequest = {
  method: 'POST',
  path: '/v1/chat/completions?trace=1',
  headers: { 'content-type': 'application/json', authorization: 'Bearer token' },
  body: utf8Encode('{"messages":[]}'),
};

export interface Exchange {
  sealed: SealedRequest;
  sealedBytes: Uint8Array;
  opened: OpenedRequest;
  requestBody: Uint8Array;
}

/** Seals a request, carries it as bytes, opens it and reads its body. */
export async function exchange(gateway: Gateway, request: BinaryRequest = samplePost): Promise<Exchange> {
  const sealed = await sealRequest({ keyConfig: gateway.keys.keyConfig, request });
  const sealedBytes = await readAll(sealed.body);
  const opened = await gateway.open(streamOf(sealedBytes));
  return { sealed, sealedBytes, opened, requestBody: await readAll(opened.request.body) };
}

/** The frames of a sealed response: the nonce, then each chunk as it left the gateway. */
export async function sealedFrames(opened: OpenedRequest, response: GatewayResponse): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  for await (const frame of opened.sealResponse(response)) frames.push(frame);
  return frames;
}
