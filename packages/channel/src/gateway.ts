import { defaultMessageLimits } from './bhttp/limits.ts';
import type { GatewayKeys } from './gateway-keys.ts';
import { openRequest, type GatewayLimits, type OpenedRequest } from './open-request.ts';
import type { ReplayCache } from './replay-cache.ts';

export const defaultGatewayLimits: GatewayLimits = Object.freeze({
  ...defaultMessageLimits,
  requestBytes: 32 * 2 ** 20,
});

export interface Gateway {
  readonly keys: GatewayKeys;
  /**
   * Opens a request: the outer body, media type `message/ohttp-chunked-req`. Resolves once its head is on hand.
   * @throws FastnessError `CHANNEL_KEY_UNKNOWN`, `CHANNEL_REQUEST_UNOPENABLE`, `CHANNEL_REPLAYED`,
   *   `CHANNEL_REPLAY_CACHE_FULL`, `CHANNEL_REQUEST_TOO_LARGE`, `CHANNEL_TRUNCATED`, `CHANNEL_CHUNK_*`, `CHANNEL_HTTP_*`
   */
  readonly open: (stream: ReadableStream<Uint8Array>) => Promise<OpenedRequest>;
  /**
   * Replaces the keys and empties the replay cache. Requests opened before go on with the secrets they have; the old
   * private keys are dropped with the last reference to them, and requests sealed to them get `CHANNEL_KEY_UNKNOWN`.
   */
  readonly rotate: (keys: GatewayKeys) => void;
}

/**
 * Default for `chunkInterval`. A chunk costs enclave, relay and client a write, a wake-up and a read each, whatever it
 * holds; a reader does not see 20 ms, and an observer of the ciphertext sees fewer tokens one by one. What it costs: bytes
 * that follow a chunk within 20 ms come up to 20 ms later. The first of a response, and those that come slower, never wait.
 */
export const defaultChunkInterval = 20;

/**
 * The enclave's end of the channel.
 * @param options.keys also say what it computes with
 * @param options.replayCache belongs to this gateway alone
 * @param options.chunkInterval least time in milliseconds between two chunks of a response that are neither full nor
 *   last. Bytes that come slower than that never wait. Default: 20; 0 seals whatever has arrived when the last chunk left
 */
export function createGateway(options: {
  keys: GatewayKeys;
  replayCache: ReplayCache;
  limits?: Partial<GatewayLimits>;
  chunkInterval?: number;
}): Gateway {
  const limits: GatewayLimits = { ...defaultGatewayLimits, ...options.limits };
  const { replayCache, chunkInterval = defaultChunkInterval } = options;
  let { keys } = options;
  return {
    get keys() {
      return keys;
    },
    open: async (stream) => openRequest({ stream, keys: () => keys, replayCache, limits, chunkInterval }),
    rotate: (next) => {
      keys = next;
      replayCache.clear();
    },
  };
}
