import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

const rate = z.strictObject({
  /** Requests a second in the long run. */
  perSecond: z.number().positive().max(1_000_000),
  /** Requests at once after a quiet time. */
  burst: z.number().int().positive().max(1_000_000),
});

const rates = z.strictObject({ perAddress: rate, global: rate });

/** A token bucket's speed. */
export type Rate = z.infer<typeof rate>;

const bytes = z
  .number()
  .int()
  .positive()
  .max(1 << 30);
const milliseconds = z.number().int().positive().max(3_600_000);

/** Every bound of the broker. Each member may be left out; the default is written beside it. */
export const brokerLimitsSchema = z.strictObject({
  /** Largest request bodies in bytes. */
  body: z
    .strictObject({
      challenge: bytes.default(1024),
      keyRelease: bytes.default(1 << 20),
      admin: bytes.default(16 << 20),
    })
    .prefault({}),
  /** A remote address is an IPv4 address or an IPv6 /64. Behind a proxy on one address, raise `perAddress`. */
  rates: z
    .strictObject({
      challenge: rates.default({ perAddress: { perSecond: 5, burst: 50 }, global: { perSecond: 200, burst: 1000 } }),
      /**
       * Challenges of addresses that got or renewed a lease within the last lease time. Strangers cannot use them up. Kept in
       * memory only: after a restart an address counts as a stranger until its next renewal.
       */
      leaseHolderChallenge: rates.default({
        perAddress: { perSecond: 5, burst: 50 },
        global: { perSecond: 100, burst: 500 },
      }),
      keyRelease: rates.default({ perAddress: { perSecond: 5, burst: 50 }, global: { perSecond: 30, burst: 300 } }),
      /**
       * Renewals that name a running lease, from an address that got or renewed one within the last lease time, are counted
       * here instead of in `keyRelease.global`, which strangers can use up; `keyRelease.perAddress` holds for them too. What is
       * above these rates is counted there after all. `perLease` is that of one lease from one address.
       */
      renewal: z
        .strictObject({ perLease: rate, global: rate })
        .default({ perLease: { perSecond: 0.5, burst: 10 }, global: { perSecond: 100, burst: 500 } }),
      admin: rates.default({ perAddress: { perSecond: 20, burst: 200 }, global: { perSecond: 50, burst: 500 } }),
      /** Requests of one administrator, from whatever address. */
      adminIdentity: rate.default({ perSecond: 20, burst: 200 }),
      /** Failed authentications; they have their own budget, so that guessing does not lock administrators out. */
      adminFailure: rates.default({ perAddress: { perSecond: 0.2, burst: 10 }, global: { perSecond: 5, burst: 100 } }),
      /** Reading the transparency log. */
      log: rates.default({ perAddress: { perSecond: 50, burst: 1000 }, global: { perSecond: 500, burst: 5000 } }),
      other: rates.default({ perAddress: { perSecond: 20, burst: 200 }, global: { perSecond: 500, burst: 2000 } }),
    })
    .prefault({}),
  /** Addresses, and leases, remembered for rate limits; the one seen longest ago is forgotten first. */
  maxAddresses: z.number().int().positive().max(1_000_000).default(10_000),
  /** Lifetime of a challenge. */
  challengeTtlSeconds: z.number().int().min(1).max(600).default(60),
  /**
   * Challenges that may wait for their answer at a time; one more, and the oldest is dropped. So a challenge can be answered
   * for at least the time in which the rates above issue as many: by default more than 20 seconds, whatever strangers do.
   */
  maxChallenges: z.number().int().positive().max(1_000_000).default(10_000),
  /** Refusals and failed authentications that are written one by one; above it they are counted. */
  auditNoise: rate.default({ perSecond: 1, burst: 500 }),
  maxConnections: z.number().int().positive().max(100_000).default(1000),
  headersTimeoutMs: milliseconds.default(5_000),
  requestTimeoutMs: milliseconds.default(20_000),
  /** A connection on which nothing moves for so long is closed. */
  idleTimeoutMs: milliseconds.default(30_000),
  /** How long a shutdown waits for requests in progress. */
  closeTimeoutMs: milliseconds.default(10_000),
});

export type BrokerLimits = z.infer<typeof brokerLimitsSchema>;
export type BrokerLimitsInput = z.input<typeof brokerLimitsSchema>;

interface Bucket {
  tokens: number;
  at: number;
}

/** Takes one token; the seconds until there is one when there is none. */
function takeFrom(bucket: Bucket, speed: Rate, now: number): number {
  bucket.tokens = Math.min(speed.burst, bucket.tokens + ((now - bucket.at) / 1000) * speed.perSecond);
  bucket.at = now;
  if (bucket.tokens < 1) return (1 - bucket.tokens) / speed.perSecond;
  bucket.tokens -= 1;
  return 0;
}

/** A single token bucket: `take()` says whether one was left. `clock` is in milliseconds and never goes back. */
export function createTokenBucket(speed: Rate, clock: () => number): { take(): boolean } {
  const bucket: Bucket = { tokens: speed.burst, at: clock() };
  return { take: () => takeFrom(bucket, speed, clock()) === 0 };
}

/** Thrown by a rate limiter; carries the value for `Retry-After`. */
export class RateLimitError extends FastnessError {
  readonly retryAfterSeconds: number;

  constructor(seconds: number) {
    super('BROKER_RATE_LIMIT');
    this.retryAfterSeconds = Math.max(1, Math.ceil(seconds));
  }
}

export interface RateLimiter {
  /** Takes one token of this address and one of everybody, or throws `RateLimitError` (`BROKER_RATE_LIMIT`). */
  take(address: string): void;
  /** As `take`, and says whether there were such tokens. */
  tryTake(address: string): boolean;
  /** The first half of `take`: a token of this address. */
  takeOwn(address: string): void;
  /** The second half of `take`: a token of everybody. */
  takeShared(): void;
}

/**
 * Token buckets per remote address over one global bucket, in bounded memory. Forgetting an address gives it a fresh
 * bucket; the global bucket bounds what somebody with many addresses gains from that.
 */
export function createRateLimiter(options: {
  perAddress: Rate;
  global: Rate;
  maxAddresses: number;
  clock: () => number;
}): RateLimiter {
  const { perAddress, global, maxAddresses, clock } = options;
  const everybody: Bucket = { tokens: global.burst, at: clock() };
  const buckets = new Map<string, Bucket>();
  const waitOwn = (address: string): number => {
    const now = clock();
    const key = addressGroup(address);
    const bucket = buckets.get(key) ?? { tokens: perAddress.burst, at: now };
    buckets.delete(key);
    buckets.set(key, bucket);
    dropOldest(buckets, maxAddresses);
    return takeFrom(bucket, perAddress, now);
  };
  const waitShared = (): number => takeFrom(everybody, global, clock());
  // The address first: a single noisy client must not eat everybody's tokens.
  const waitBoth = (address: string): number => waitOwn(address) || waitShared();
  const orThrow = (seconds: number): void => {
    if (seconds > 0) throw new RateLimitError(seconds);
  };
  return {
    take: (address) => orThrow(waitBoth(address)),
    tryTake: (address) => waitBoth(address) === 0,
    takeOwn: (address) => orThrow(waitOwn(address)),
    takeShared: () => orThrow(waitShared()),
  };
}

/** Addresses that something is true of for a while, in bounded memory. */
export interface RecentAddresses {
  add(address: string): void;
  has(address: string): boolean;
}

export function createRecentAddresses(options: {
  seconds: number;
  maxAddresses: number;
  now: () => Date;
}): RecentAddresses {
  const { seconds, maxAddresses, now } = options;
  const added = new Map<string, number>();
  return {
    add(address) {
      const key = addressGroup(address);
      added.delete(key);
      added.set(key, now().getTime());
      dropOldest(added, maxAddresses);
    },
    has(address) {
      const at = added.get(addressGroup(address));
      return at !== undefined && now().getTime() < at + seconds * 1000;
    },
  };
}

/** Drops the entry that was set first when there are more than `most`. */
function dropOldest(entries: Map<string, unknown>, most: number): void {
  if (entries.size <= most) return;
  const [oldest] = entries.keys();
  if (oldest !== undefined) entries.delete(oldest);
}

/** What a rate limiter is asked with for a lease that an address names. Without colons, which only addresses have. */
export function leaseFrom(leaseId: string, address: string): string {
  return `${leaseId}/${addressGroup(address).replaceAll(':', '.')}`;
}

/** The unit that one party usually controls: an IPv4 address, or the /64 of an IPv6 address. */
export function addressGroup(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
