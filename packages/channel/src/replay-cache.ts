import { FastnessError } from '@fastness/codec/errors';
import { latin1Decode } from './bhttp/fields.ts';

/**
 * Remembers the requests that a gateway has answered, by the SHA-256 of their encapsulated secret, for as long as the key
 * they are sealed to lives. It never forgets one to make room: a full cache refuses until the keys are rotated.
 */
export interface ReplayCache {
  readonly size: number;
  readonly capacity: number;
  /** @throws FastnessError `CHANNEL_REPLAYED`, `CHANNEL_REPLAY_CACHE_FULL` */
  readonly claim: (digest: Uint8Array) => void;
  /** Forgets everything; only right after the keys changed. */
  readonly clear: () => void;
}

/** A cache in memory. An entry takes about 120 bytes; `capacity` is 262,144 by default. */
export function createReplayCache(options: { capacity?: number } = {}): ReplayCache {
  const capacity = options.capacity ?? 262_144;
  const seen = new Set<string>();
  return {
    capacity,
    get size() {
      return seen.size;
    },
    claim: (digest) => {
      // One flat string of 32 characters. Hex that was put together digit by digit keeps all its parts alive.
      const key = latin1Decode(digest);
      if (seen.has(key)) throw new FastnessError('CHANNEL_REPLAYED');
      if (seen.size >= capacity) throw new FastnessError('CHANNEL_REPLAY_CACHE_FULL', `${capacity} requests.`);
      seen.add(key);
    },
    clear: () => seen.clear(),
  };
}
