import { fromHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { checkRequestControl } from '../bhttp/control.ts';
import { startRequestDigest } from '../digest.ts';
import { gatewayKeyList, gatewayPrimitives, type GatewayKeys } from '../gateway-keys.ts';
import { aeadAes256Gcm, kdfHkdfSha256, kemX25519, suiteOf, type RecipientContext } from '../hpke.ts';
import { openRequestChunk } from '../ohttp/request-opener.ts';
import { openedFrom } from '../opened.ts';
import type { OpenedRequest } from '../open-request.ts';
import type { Primitives } from '../primitives.ts';
import type { ReplayCache } from '../replay-cache.ts';
import type { GatewayResponse } from '../seal-response.ts';
import type { EhbpFrames } from './frames.ts';
import { ehbpInfo, ehbpNonceHeader } from './labels.ts';
import { prepareEhbpResponse, sealEhbpResponse } from './seal-response.ts';

const suiteId = Object.freeze({ kem: kemX25519, kdf: kdfHkdfSha256, aead: aeadAes256Gcm });

/** A request as EHBP carries it: its body in sealed frames, everything else in the clear, where anybody can change it. */
export interface EhbpRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** The field `Ehbp-Encapsulated-Key`. */
  readonly encapsulatedKey: string | null;
  readonly frames: EhbpFrames;
}

/** An opened request, and the fields that its response needs outside. */
export interface OpenedEhbpRequest extends OpenedRequest<'ehbp'> {
  readonly responseHeaders: Readonly<Record<string, string>>;
}

/**
 * Opens one request; see `Gateway.openEhbp`. Of the fields outside none is passed on: nobody vouches for them. Where the first
 * frame does not open, `frames` can be offered to another gateway.
 */
export async function openEhbpRequest(options: {
  request: EhbpRequest;
  keys: () => GatewayKeys;
  replayCache: ReplayCache;
  chunkInterval: number;
}): Promise<OpenedEhbpRequest> {
  const { keys, replayCache, chunkInterval } = options;
  const { method, path, frames } = options.request;
  checkRequestControl({ method, scheme: 'https', authority: '', path });
  const enc = encOf(options.request.encapsulatedKey);
  const usedKeys = keys();
  const primitives = gatewayPrimitives(usedKeys);
  const context = await contextOf(enc, usedKeys, primitives);
  const open = openRequestChunk(context);
  const frame = await frames.first();
  if (frame === undefined) throw new FastnessError('CHANNEL_TRUNCATED', 'There is no frame.');
  const [first, replayDigest] = await Promise.all([open(frame, false, 0), primitives.sha256(enc)]);
  if (keys() !== usedKeys) throw new FastnessError('CHANNEL_KEY_UNKNOWN', 'The keys were rotated meanwhile.');
  replayCache.claim(replayDigest);
  const { nonce, key } = prepareEhbpResponse({ context, enc, primitives });
  let answered = false;
  const seal = (response: GatewayResponse): ReadableStream<Uint8Array> => {
    if (answered) throw new FastnessError('CHANNEL_ALREADY_ANSWERED');
    answered = true;
    return sealEhbpResponse({ key, response, chunkInterval });
  };
  let index = 0;
  const nextBody = async (): Promise<Uint8Array | undefined> => {
    if (index === 0) {
      index = 1;
      return first;
    }
    const next = await frames.next();
    return next === undefined ? undefined : open(next, false, index++);
  };
  return {
    ...openedFrom({
      message: { headers: new Headers(), nextBody, trailers: () => new Headers() },
      control: { method, authority: '', path },
      digest: startRequestDigest({ method, path }, primitives),
      cancel: (reason) => frames.cancel(reason),
    }),
    kem: kemX25519,
    protocol: 'ehbp',
    sealResponse: seal,
    responseHeaders: { [ehbpNonceHeader]: nonce },
  };
}

function encOf(text: string | null): Uint8Array {
  if (text === null) throw new FastnessError('CHANNEL_UNSEALED');
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new FastnessError('CHANNEL_REQUEST_UNOPENABLE', 'The encapsulated key is not 64 hexadecimal digits.');
  }
  return fromHex(text.toLowerCase());
}

async function contextOf(enc: Uint8Array, keys: GatewayKeys, primitives: Primitives): Promise<RecipientContext> {
  const key = gatewayKeyList(keys).find(({ config }) => config.kem === kemX25519);
  if (key === undefined) throw new FastnessError('CHANNEL_KEY_UNKNOWN', 'No key of X25519.');
  try {
    return await suiteOf(suiteId, primitives).SetupRecipient(key.pair, enc, { info: ehbpInfo });
  } catch (cause) {
    throw new FastnessError('CHANNEL_REQUEST_UNOPENABLE', 'The key does not decapsulate.', { cause });
  }
}
