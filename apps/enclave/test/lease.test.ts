import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FastnessError } from '@fastness/codec/errors';
import { backOffMs, endsLease, isFinal, Lease, type Grant } from '../src/lease.ts';
import { codeOf } from './codes.ts';

const issuedAt = new Date('2026-11-23T12:00:00Z');

/** A lease on a clock that a test can push ahead; renewal is what the test says. */
function leaseOn(options: { ttlSeconds?: number; renew?: (leaseId: string) => Promise<Grant> } = {}) {
  let ahead = 0;
  const clock = (): number => performance.now() + ahead;
  const grantNow = (ttlSeconds = options.ttlSeconds ?? 1): Grant => ({
    leaseId: 'lease',
    token: 'AA',
    ttlSeconds,
    issuedAt,
    sentAt: clock(),
    receivedAt: clock(),
  });
  const trouble: unknown[] = [];
  let renewals = 0;
  const lease = new Lease({
    grant: grantNow(),
    clock,
    renew: options.renew ?? (async () => grantNow()),
    onRenewed: () => renewals++,
    onTrouble: (error) => trouble.push(error),
  });
  return { lease, trouble, renewals: () => renewals, push: (ms: number) => (ahead += ms), grantNow };
}

/** Why the lease is gone within a second. */
const lost = async (lease: Lease): Promise<string> => {
  await vi.advanceTimersByTimeAsync(1000);
  return codeOf(() => lease.signal.throwIfAborted());
};

describe('a lease', () => {
  // Timers and clock move when a test says so, however busy the machine is.
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is renewed before it runs out, again and again', async () => {
    const { lease, renewals } = leaseOn();
    await vi.advanceTimersByTimeAsync(1800);
    expect(renewals()).toBeGreaterThanOrEqual(3);
    expect(lease.signal.aborted).toBe(false);
    lease.end();
  });

  it('is lost before its end when the broker cannot be reached', async () => {
    const { lease, trouble } = leaseOn({
      renew: async () => {
        throw new FastnessError('ENCLAVE_BROKER_UNAVAILABLE');
      },
    });
    expect(await lost(lease)).toBe('ENCLAVE_LEASE_LOST');
    expect(trouble.length).toBeGreaterThan(1);
    expect(codeOf(() => lease.assertHeld())).toBe('ENCLAVE_LEASE_LOST');
  });

  it('is lost at once when the broker takes it back, with the reason of the broker', async () => {
    const { lease } = leaseOn({
      ttlSeconds: 2,
      renew: async () => {
        throw new FastnessError('BROKER_RELEASE_REVOKED');
      },
    });
    expect(await lost(lease)).toBe('BROKER_RELEASE_REVOKED');
    expect(lease.remainingMs()).toBeGreaterThan(0);
  });

  it('outlives an answer that was tampered with', async () => {
    let calls = 0;
    const { lease, grantNow, renewals } = leaseOn({
      renew: async () => {
        if (++calls === 1) throw new FastnessError('CHANNEL_LEASE_SIGNATURE');
        return grantNow();
      },
    });
    await vi.advanceTimersByTimeAsync(1000);
    expect(lease.signal.aborted).toBe(false);
    expect(renewals()).toBeGreaterThan(0);
    lease.end();
  });

  it('counts from when the request was sent', () => {
    const now = performance.now();
    const lease = new Lease({
      grant: { leaseId: 'lease', token: 'AA', ttlSeconds: 10, issuedAt, sentAt: now - 4000, receivedAt: now },
      clock: () => now,
      renew: () => new Promise(() => {}),
      onRenewed: () => {},
      onTrouble: () => {},
    });
    expect(lease.remainingMs()).toBeCloseTo(10_000 - 4000 - 1000, 3);
    lease.end();
  });

  it('is over for the next request when the machine slept through its end', () => {
    const { lease, push } = leaseOn({ ttlSeconds: 60 });
    lease.assertHeld();
    push(61_000);
    expect(codeOf(() => lease.assertHeld())).toBe('ENCLAVE_LEASE_LOST');
  });

  it('tells the time of the broker, carried on by the clock', () => {
    const { lease, push } = leaseOn({ ttlSeconds: 60 });
    push(5000);
    expect(lease.now().getTime() - issuedAt.getTime()).toBe(5000);
    lease.end();
  });
});

describe('what the broker says', () => {
  it('is final for refusals, and not for troubles', () => {
    const final = [
      'BROKER_RELEASE_REVOKED',
      'BROKER_RELEASE_UNKNOWN',
      'SIMULATED_EVIDENCE_REFUSED',
      'CHANNEL_LEASE_SIGNATURE',
    ] as const;
    const passing = [
      'ENCLAVE_BROKER_UNAVAILABLE',
      'BROKER_NONCE_EXPIRED',
      'BROKER_RATE_LIMIT',
      'BROKER_STORE',
      'EVIDENCE_TIMEOUT',
    ] as const;
    expect(final.filter((code) => !isFinal(new FastnessError(code)))).toEqual([]);
    expect(passing.filter((code) => isFinal(new FastnessError(code)))).toEqual([]);
  });

  it('sends an enclave whose lease is gone back to the start', () => {
    expect(endsLease(new FastnessError('BROKER_LEASE_EXPIRED'))).toBe(true);
    expect(isFinal(new FastnessError('BROKER_LEASE_EXPIRED'))).toBe(false);
  });

  it('is asked for again ever more slowly', () => {
    expect([1, 2, 3, 10, 100].map(backOffMs)).toEqual([500, 1000, 2000, 30_000, 30_000]);
  });
});
