import { FastnessError } from '@fastness/codec/errors';

/** A lease as the broker granted it, on this enclave's own clock. */
export interface Grant {
  readonly leaseId: string;
  /** As the broker signed it, base64url; for clients. */
  readonly token: string;
  readonly ttlSeconds: number;
  /** The broker's time, signed. */
  readonly issuedAt: Date;
  /** The clock just before the request was sent: time on the way counts against the lease. */
  readonly sentAt: number;
  /** The clock when the answer had come. */
  readonly receivedAt: number;
  /** That the broker logged it (c2sp.org/tlog-proof); for clients. Absent where the release names no log. */
  readonly logProof?: string;
}

/** Milliseconds that rise evenly whatever the host does to the wall clock. */
export type Clock = () => number;

/** See `shownLeaseSchema`. */
export type ShownToken =
  { readonly token: string } | { readonly shares: { readonly share: number; readonly token: string }[] };

/** What lets the enclave answer: one broker's lease, or as many as the key has to come from. */
export interface Permission {
  /** Fires once, with the reason, when it is lost; it is lost for good. */
  readonly signal: AbortSignal;
  /** That a broker logged it; see `Grant`. */
  readonly logProof: string | undefined;
  /** What lives of it, as the broker signed it, for clients; where several brokers grant one each, by their shares. */
  readonly shown: ShownToken;
  /** Milliseconds for which the enclave may still answer. */
  remainingMs(): number;
  /** The time of whoever grants it, carried on by the clock. */
  now(): Date;
  /** Throws the reason when it is lost. */
  assertHeld(): void;
  /** Stops renewing, without an alarm: the enclave is going down. */
  end(): void;
}

export interface LeaseOptions {
  readonly grant: Grant;
  readonly clock: Clock;
  /** Asks the broker for more time. What it throws decides: see `isFinal` and `endsLease`. */
  readonly renew: (leaseId: string) => Promise<Grant>;
  readonly onRenewed: (grant: Grant) => void;
  readonly onTrouble: (error: unknown) => void;
}

/**
 * The permission to serve. It is renewed at half its time, and is lost shortly before it runs out or as soon as the
 * broker takes it back. Losing it is for good: `signal` fires once, with the reason.
 *
 * Does not protect against a host that stops the whole machine and starts it again: its clock stands still with it.
 */
export class Lease implements Permission {
  readonly #controller = new AbortController();
  readonly #options: LeaseOptions;
  readonly #ended = new AbortController();
  #grant: Grant;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#grant = options.grant;
    // Timers run late after a pause of the machine, so the clock is looked at often and before every answer.
    this.#watch = setInterval(() => this.#check(), this.#marginMs() / 2);
    this.#watch.unref();
    void this.#keep();
  }

  /** Fires with a FastnessError: ENCLAVE_LEASE_LOST when time ran out, the broker's own code when it refused. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The lease as the broker signed it. */
  get token(): string {
    return this.#grant.token;
  }

  get shown(): ShownToken {
    return { token: this.token };
  }

  get leaseId(): string {
    return this.#grant.leaseId;
  }

  /** Of the key or the last renewal; see `Grant`. */
  get logProof(): string | undefined {
    return this.#grant.logProof;
  }

  /** Milliseconds for which the enclave may still answer. */
  remainingMs(): number {
    return this.#grant.sentAt + this.#grant.ttlSeconds * 1000 - this.#marginMs() - this.#options.clock();
  }

  /** The broker's time carried on by the clock; behind it by no more than the answer took to come. */
  now(): Date {
    return new Date(this.#grant.issuedAt.getTime() + (this.#options.clock() - this.#grant.receivedAt));
  }

  /** Throws the reason when the lease is lost. */
  assertHeld(): void {
    this.#check();
    this.signal.throwIfAborted();
  }

  lose(reason: FastnessError): void {
    this.end();
    this.#controller.abort(reason);
  }

  /** Stops renewing, without an alarm: the enclave is going down. */
  end(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#ended.abort();
  }

  /** Answering stops this long before the lease ends: a second, or a tenth of a short lease. */
  #marginMs(): number {
    return Math.min(1000, this.#grant.ttlSeconds * 100);
  }

  #check(): void {
    if (this.remainingMs() > 0 || this.signal.aborted || this.#ended.signal.aborted) return;
    this.lose(new FastnessError('ENCLAVE_LEASE_LOST', 'It was not renewed in time.'));
  }

  async #keep(): Promise<void> {
    const { renew, onRenewed, onTrouble } = this.#options;
    let failures = 0;
    let wait = this.remainingMs() / 2;
    while (await pause(wait * (0.9 + Math.random() * 0.1), this.#ended.signal)) {
      try {
        this.#grant = await renew(this.#grant.leaseId);
        if (this.#ended.signal.aborted) return;
        failures = 0;
        wait = this.remainingMs() / 2;
        onRenewed(this.#grant);
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        onTrouble(error);
        if (error instanceof FastnessError && (endsLease(error) || (isFinal(error) && !foundHere.test(error.code)))) {
          this.lose(error);
          return;
        }
        failures++;
        wait = Math.min(backOffMs(failures), Math.max(100, this.remainingMs() / 4));
      }
    }
  }
}

/** Half a second, doubling up to half a minute; the caller adds jitter. */
export function backOffMs(failures: number): number {
  return Math.min(30_000, 500 * 2 ** Math.min(failures - 1, 10));
}

/** Whether the broker said no for good: asking again will not help. */
export function isFinal(error: FastnessError): boolean {
  if (asksAgain.has(error.code) || endsLease(error)) return false;
  return ['denied', 'invalid', 'unauthorized', 'usage', 'not-mine'].includes(error.class);
}

/** Whether the lease is gone and a new one may be asked for, by attesting from the start. */
export function endsLease(error: FastnessError): boolean {
  return error.code.startsWith('BROKER_LEASE_');
}

/** Faults that the enclave found in an answer. While the lease lasts they are a reason to ask again, no more. */
const foundHere = /^(?:CHANNEL_|ENCLAVE_BROKER_ANSWER$)/u;

/** Refusals of one exchange, which the next exchange, with a new challenge, does not share. */
const asksAgain: ReadonlySet<string> = new Set([
  'BROKER_NONCE_UNKNOWN',
  'BROKER_NONCE_EXPIRED',
  'BROKER_NONCE_REUSED',
  'BROKER_REQUEST_TIMEOUT',
]);

/** Resolves to false when the signal fired. */
export function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const stop = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', stop);
        resolve(true);
      },
      Math.max(0, ms),
    );
    signal.addEventListener('abort', stop, { once: true });
  });
}
