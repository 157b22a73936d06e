import { describe, expect, it } from 'vitest';
import { openAuditLog } from '../src/audit/log.ts';
import { createAuditNoise } from '../src/audit/noise.ts';
import { addressGroup, brokerLimitsSchema, createRateLimiter, RateLimitError } from '../src/limits.ts';
import { errorOf, freshPath, temporaryDirectory } from './temporary.ts';

const directory = temporaryDirectory();

describe('rate limits', () => {
  it('lets a burst through, then one request for each refill', () => {
    let time = 0;
    const rate = { perSecond: 2, burst: 3 };
    const limiter = createRateLimiter({
      perAddress: rate,
      global: { perSecond: 100, burst: 100 },
      maxAddresses: 10,
      clock: () => time,
    });
    for (let index = 0; index < 3; index += 1) limiter.take('192.0.2.1');
    expect(errorOf(() => limiter.take('192.0.2.1'))).toMatchObject({ code: 'BROKER_RATE_LIMIT', retryAfterSeconds: 1 });
    limiter.take('192.0.2.2');
    time = 500;
    limiter.take('192.0.2.1');
    expect(() => {
      limiter.take('192.0.2.1');
    }).toThrow(RateLimitError);
  });

  it('bounds everybody together, and what one address is refused costs the others nothing', () => {
    const limiter = createRateLimiter({
      perAddress: { perSecond: 1, burst: 2 },
      global: { perSecond: 1, burst: 5 },
      maxAddresses: 10,
      clock: () => 0,
    });
    for (let index = 0; index < 50; index += 1) {
      try {
        limiter.take('192.0.2.1');
      } catch {
        // Refused, as it should be.
      }
    }
    for (const address of ['192.0.2.2', '192.0.2.3', '192.0.2.4']) limiter.take(address);
    expect(() => {
      limiter.take('192.0.2.5');
    }).toThrow(RateLimitError);
  });

  it('remembers a bounded number of addresses', () => {
    const limiter = createRateLimiter({
      perAddress: { perSecond: 1, burst: 1 },
      global: { perSecond: 1, burst: 1e6 },
      maxAddresses: 2,
      clock: () => 0,
    });
    limiter.take('192.0.2.1');
    limiter.take('192.0.2.2');
    limiter.take('192.0.2.3');
    limiter.take('192.0.2.1');
    expect(() => {
      limiter.take('192.0.2.3');
    }).toThrow(RateLimitError);
  });

  it('takes a /64 for one party', () => {
    expect(addressGroup('192.0.2.1')).toBe('192.0.2.1');
    expect(addressGroup('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(addressGroup('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
    expect(addressGroup('2001:db8:1:2::9')).toBe('2001:db8:1:2::/64');
    expect(addressGroup('2001:DB8::1')).toBe('2001:db8:0:0::/64');
    expect(addressGroup('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
    expect(addressGroup('::1')).toBe('0:0:0:0::/64');
  });

  it('fills in every default and refuses what it does not know', () => {
    expect(brokerLimitsSchema.parse({})).toMatchObject({ challengeTtlSeconds: 60, body: { challenge: 1024 } });
    expect(brokerLimitsSchema.safeParse({ challengeTTL: 5 }).success).toBe(false);
  });
});

describe('audit noise', () => {
  it('writes a burst, counts the rest, and writes the count', async () => {
    let time = 0;
    const now = (): Date => new Date(1_800_000_000_000 + time);
    await using log = await openAuditLog({ path: freshPath(directory, 'noise'), now });
    const noise = createAuditNoise({ log, rate: { perSecond: 1, burst: 3 }, now, clock: () => time });
    for (let index = 0; index < 10; index += 1) {
      await noise.refused({ operation: 'key-release', code: 'BROKER_NONCE_UNKNOWN' });
      await noise.adminAuthFailure({ route: 'audit', presented: 'nothing' });
    }
    expect(log.head.seq).toBe(6);
    time = 1000;
    await noise.refused({ operation: 'key-release', code: 'BROKER_NONCE_EXPIRED' });
    const [count, last] = await log.read({ after: 6, limit: 10 });
    expect(count).toMatchObject({
      kind: 'entries-suppressed',
      facts: { refused: 7, adminAuthFailures: 7, since: new Date(1_800_000_000_000).toISOString() },
    });
    expect(last?.facts).toMatchObject({ code: 'BROKER_NONCE_EXPIRED' });
    await noise.flush();
    expect(log.head.seq).toBe(8);
  });
});
