import { performance } from 'node:perf_hooks';
import { obtainLease, renewLease, type DhcpOptions } from './client.ts';
import type { DhcpLease } from './message.ts';

/** A timer takes no more than 2^31 - 1 ms. */
const LONGEST_WAIT = 86_400_000;
/** Between two tries (RFC 2131, section 4.4.5). */
const BETWEEN_TRIES = 60_000;

export interface KeepOptions extends DhcpOptions {
  /** Sets the card up for a lease that differs from the one before. */
  readonly apply: (lease: DhcpLease) => void;
  readonly failed: (error: unknown) => void;
  /** Milliseconds on a clock that only goes forward. */
  readonly now?: () => number;
  /** Calls back after so many milliseconds; what it returns takes that back. */
  readonly later?: (milliseconds: number, then: () => void) => () => void;
}

/**
 * Keeps a lease for as long as the machine runs: asks its server for more time after half of it, everybody after seven
 * eighths, and starts anew when it is over or refused. What happens to the network is told and never ends the enclave, which
 * keeps its address until it is given another: whoever could use the same one is the network's owner anyway.
 * Returns how to stop.
 */
export function keepLease(options: KeepOptions, first: DhcpLease): () => void {
  const { now = () => performance.now(), later = wait, apply, failed } = options;
  let stopped = false;
  let forget: () => void = () => {};
  const plan = (lease: DhcpLease, since: number): void => {
    if (stopped || lease.seconds === Number.POSITIVE_INFINITY) return;
    const left = since + lease.renewAfter * 1000 - now();
    forget =
      left > LONGEST_WAIT
        ? later(LONGEST_WAIT, () => plan(lease, since))
        : later(Math.max(left, 0), () => void turn(lease, since));
  };
  const turn = async (lease: DhcpLease, since: number): Promise<void> => {
    const begun = now();
    try {
      const renewed = await another(options, lease, (begun - since) / 1000);
      if (stopped) return;
      if (differs(lease, renewed)) apply(renewed);
      plan(renewed, begun);
    } catch (error) {
      if (stopped) return;
      failed(error);
      forget = later(BETWEEN_TRIES, () => void turn(lease, since));
    }
  };
  plan(first, now());
  return () => {
    stopped = true;
    forget();
  };
}

async function another(options: DhcpOptions, lease: DhcpLease, age: number): Promise<DhcpLease> {
  if (age >= lease.seconds) return obtainLease(options);
  const renewed = await renewLease(options, lease, age >= lease.rebindAfter ? 'everybody' : 'server');
  return renewed ?? obtainLease(options);
}

function differs(left: DhcpLease, right: DhcpLease): boolean {
  const settings = ({ address, prefix, router, nameservers, mtu }: DhcpLease): string =>
    JSON.stringify([address, prefix, router, nameservers, mtu]);
  return settings(left) !== settings(right);
}

function wait(milliseconds: number, then: () => void): () => void {
  const timer = setTimeout(then, milliseconds);
  // The machine ends with the enclave, not with its lease.
  timer.unref();
  return () => clearTimeout(timer);
}
