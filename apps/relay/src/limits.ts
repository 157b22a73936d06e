import { FastnessError } from '@fastness/codec/errors';

/** Every bound of the relay, in bytes and milliseconds. */
export interface RelayLimits {
  /** Largest request body; prompts with long documents fit in the default of 32 MiB. */
  readonly requestBytes: number;
  /** Largest response body. */
  readonly responseBytes: number;
  /** Request line and headers together. */
  readonly headerBytes: number;
  /** Connections from everybody, and from one address. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Requests forwarded at a time. */
  readonly exchanges: number;
  /** Until the headers, and until the whole request, must have arrived. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Until the enclave must have begun its answer. */
  readonly responseTimeoutMs: number;
  /** A connection on which nothing moves for so long is closed. */
  readonly idleTimeoutMs: number;
  /** A whole exchange, streaming included. */
  readonly exchangeTimeoutMs: number;
  /** How long a shutdown waits for exchanges in progress. */
  readonly closeTimeoutMs: number;
}

export const defaultRelayLimits: RelayLimits = Object.freeze({
  requestBytes: 32 << 20,
  responseBytes: 256 << 20,
  headerBytes: 8 << 10,
  connections: 1024,
  // Room for 32 answers that are streamed at once and for what goes with them, and well below what one enclave holds
  // (64 requests in progress, 256 that arrive), so that one address alone cannot fill it.
  connectionsPerAddress: 40,
  exchanges: 256,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 120_000,
  responseTimeoutMs: 120_000,
  idleTimeoutMs: 180_000,
  exchangeTimeoutMs: 30 * 60_000,
  closeTimeoutMs: 10_000,
});

/** Fills in the defaults. Throws `RELAY_CONFIG_INVALID` for a limit that is no positive integer or has no such name. */
export function relayLimits(given: Partial<RelayLimits> = {}): RelayLimits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultRelayLimits, name))
      throw new FastnessError('RELAY_CONFIG_INVALID', `limits.${name}: unknown.`);
    if (!Number.isSafeInteger(value) || value <= 0 || value > 2 ** 31 - 1) {
      throw new FastnessError('RELAY_CONFIG_INVALID', `limits.${name}: expected a positive 31-bit integer.`);
    }
  }
  return Object.freeze({ ...defaultRelayLimits, ...given });
}
