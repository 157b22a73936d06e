import { FastnessError } from '@fastness/codec/errors';
import { defaultMessageLimits } from './bhttp/limits.ts';
import { openEhbpRequest, type EhbpRequest, type OpenedEhbpRequest } from './ehbp/open-request.ts';
import type { GatewayKeys } from './gateway-keys.ts';
import { openRequest, type GatewayLimits, type OpenedRequest } from './open-request.ts';
import { defaultProtocol, type ChannelProtocol, type OhttpProtocol } from './protocol.ts';
import type { ReplayCache } from './replay-cache.ts';

export const defaultGatewayLimits: GatewayLimits = Object.freeze({
  ...defaultMessageLimits,
  requestBytes: 32 * 2 ** 20,
  requestChunks: 65_536,
});

export interface Gateway {
  readonly keys: GatewayKeys;
  /** What it answers. */
  readonly protocols: ReadonlySet<ChannelProtocol>;
  /**
   * Opens a request: the outer body. Resolves once its head is on hand. The response goes as the request came.
   * @param protocol what the media type of the outer request says (`protocolOfType`). Default: chunked OHTTP
   * @throws FastnessError `CHANNEL_PROTOCOL_REFUSED`, `CHANNEL_KEY_UNKNOWN`, `CHANNEL_REQUEST_UNOPENABLE`, `CHANNEL_REPLAYED`,
   *   `CHANNEL_REPLAY_CACHE_FULL`, `CHANNEL_REQUEST_TOO_LARGE`, `CHANNEL_TRUNCATED`, `CHANNEL_CHUNK_*`, `CHANNEL_HTTP_*`
   */
  readonly open: (
    stream: ReadableStream<Uint8Array>,
    protocol?: OhttpProtocol,
  ) => Promise<OpenedRequest<OhttpProtocol>>;
  /**
   * Opens a request of EHBP. Resolves once its first frame is on hand. Nothing names the key: where this fails with
   * `CHANNEL_REQUEST_UNOPENABLE`, another gateway may open the same frames.
   * @throws FastnessError as `open`, and `CHANNEL_UNSEALED` for a request that came in the clear
   */
  readonly openEhbp: (request: EhbpRequest) => Promise<OpenedEhbpRequest>;
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
 * @param options.protocols what it answers. Default: chunked OHTTP alone
 */
export function createGateway(options: {
  keys: GatewayKeys;
  replayCache: ReplayCache;
  limits?: Partial<GatewayLimits>;
  chunkInterval?: number;
  protocols?: readonly ChannelProtocol[];
}): Gateway {
  const limits: GatewayLimits = { ...defaultGatewayLimits, ...options.limits };
  const { replayCache, chunkInterval = defaultChunkInterval } = options;
  const protocols: ReadonlySet<ChannelProtocol> = new Set(options.protocols ?? [defaultProtocol]);
  let { keys } = options;
  return {
    get keys() {
      return keys;
    },
    protocols,
    open: async (stream, protocol = defaultProtocol) => {
      if (!protocols.has(protocol)) {
        void stream.cancel().catch(() => undefined);
        throw new FastnessError('CHANNEL_PROTOCOL_REFUSED', `Not ${protocol}.`);
      }
      return openRequest({ stream, protocol, keys: () => keys, replayCache, limits, chunkInterval });
    },
    openEhbp: async (request) => {
      if (!protocols.has('ehbp')) throw new FastnessError('CHANNEL_PROTOCOL_REFUSED', 'Not ehbp.');
      return openEhbpRequest({ request, keys: () => keys, replayCache, chunkInterval });
    },
    rotate: (next) => {
      keys = next;
      replayCache.clear();
    },
  };
}
