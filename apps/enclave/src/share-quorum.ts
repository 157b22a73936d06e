import { FastnessError } from '@fastness/codec/errors';
import { checkShare, joinShares, type Manifest } from '@fastness/model';
import type { EnclaveKeys } from './boot/enclave-keys.ts';
import { renewLease, requestShare, type KeyRequestOptions, type ShareGrant } from './boot/request-key.ts';
import { backOffMs, isFinal, Lease, pause, type Grant, type Permission, type ShownToken } from './lease.ts';

/** What is asked of one broker. */
type ShareRequest = KeyRequestOptions & {
  readonly keyShare: { readonly setId: string; readonly index: number };
};

export interface ShareQuorumOptions {
  readonly requests: readonly ShareRequest[];
  /** With `keyShares`. */
  readonly manifest: Manifest;
  /** Those that are attested and that the shares are sealed to. */
  readonly keys: EnclaveKeys;
  readonly signal: AbortSignal;
  /** What a broker did not give, and whether it is asked again. */
  readonly onTrouble: (index: number, error: unknown, final: boolean) => void;
  readonly onShare: (index: number) => void;
  readonly onRenewed: (index: number, grant: Grant) => void;
  /** A lease ran out; its broker is asked for another. */
  readonly onLapsed: (index: number) => void;
}

/** The key as it was joined. The caller wipes the root. */
export interface JoinedKey {
  readonly root: Uint8Array;
  /** One that a broker accepted. */
  readonly evidence: ShareGrant['evidence'];
}

interface Holder {
  readonly index: number;
  readonly request: ShareRequest;
  /** Until the key is joined. */
  share: ShareGrant | undefined;
  lease: Lease | undefined;
  /** Why this broker is asked no more. */
  refused: FastnessError | undefined;
}

/**
 * The brokers that share a key, asked side by side, each with a challenge, evidence and a lease of its own. As soon as as
 * many as the threshold have given their share, the key is joined; from then on the enclave may answer while as many leases
 * live. A broker that cannot be reached is asked again, before and after, so one that comes back counts again; one that
 * refuses, or gives a wrong share, is asked no more until the enclave starts anew.
 *
 * Does not tell a broker that lies from a host that changes its answers: either shows as a wrong share with its number.
 */
export class ShareQuorum implements Permission {
  readonly #options: ShareQuorumOptions;
  readonly #threshold: number;
  readonly #holders: Holder[];
  readonly #ended = new AbortController();
  readonly #lost = new AbortController();
  readonly #joined = Promise.withResolvers<JoinedKey>();
  #state: 'gathering' | 'joining' | 'held' = 'gathering';
  #time = new Date(0);
  #collecting: Promise<unknown> = Promise.resolve();

  constructor(options: ShareQuorumOptions) {
    this.#options = options;
    this.#threshold = options.manifest.keyShares?.threshold ?? Infinity;
    this.#holders = options.requests.map((request) => ({
      index: request.keyShare.index,
      request: { ...request, collect: (data) => this.#inTurn(() => request.collect(data)) },
      share: undefined,
      lease: undefined,
      refused: undefined,
    }));
    const { signal } = this.#ended;
    options.signal.addEventListener('abort', () => this.#fail(options.signal.reason), { once: true, signal });
    // Whoever waits for the key learns of a failure; nobody may be waiting yet.
    this.#joined.promise.catch(() => undefined);
    if (options.signal.aborted) this.#fail(options.signal.reason);
    else this.#requireEnough();
    for (const holder of this.#holders) void this.#keep(holder);
  }

  /**
   * The key, as soon as enough brokers gave their share. Rejects with ENCLAVE_TOO_FEW_SHARES when so many refused that the
   * rest cannot be enough, with KEY_SHARES_ROOT_MISMATCH, or with the reason of `signal`.
   */
  joined(): Promise<JoinedKey> {
    return this.#joined.promise;
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Of every broker whose lease lives: one alone would show nothing where several have to agree. */
  get shown(): ShownToken {
    const shares = this.#holders.flatMap(({ index, lease }) =>
      lease !== undefined && lease.remainingMs() > 0 ? [{ share: index, token: lease.token }] : [],
    );
    return { shares };
  }

  /** The proof of one of the brokers. */
  get logProof(): string | undefined {
    return this.#live().find(({ logProof }) => logProof !== undefined)?.logProof;
  }

  /** That of the lease which, with those that live longer, makes up the threshold. */
  remainingMs(): number {
    const left = this.#live().map((lease) => lease.remainingMs());
    return left.toSorted((one, other) => other - one)[this.#threshold - 1] ?? 0;
  }

  /** Of the brokers' times the middle one, the earlier of two: fewer than half of them cannot shift it. */
  now(): Date {
    const times = this.#live().map((lease) => lease.now());
    times.sort((one, other) => one.getTime() - other.getTime());
    this.#time = times[Math.floor((times.length - 1) / 2)] ?? this.#time;
    return this.#time;
  }

  assertHeld(): void {
    this.#check();
    this.signal.throwIfAborted();
  }

  end(): void {
    this.#ended.abort();
    for (const holder of this.#holders) {
      holder.lease?.end();
      wipe(holder);
    }
    this.#joined.reject(new FastnessError('ENCLAVE_NOT_SERVING'));
  }

  #live(): Lease[] {
    return this.#holders.flatMap(({ lease }) => (lease !== undefined && lease.remainingMs() > 0 ? [lease] : []));
  }

  /** Asks one broker until it gives its share, holds the lease that comes with it, and begins again when that is lost. */
  async #keep(holder: Holder): Promise<void> {
    const signal = AbortSignal.any([this.#ended.signal, this.#options.signal]);
    for (let failures = 0; !signal.aborted;) {
      try {
        const grant = await this.#ask(holder, signal);
        failures = 0;
        this.#options.onShare(holder.index);
        await this.#hold(holder, grant, signal);
      } catch (error) {
        if (signal.aborted) return;
        const final = !(error instanceof FastnessError) || isFinal(error);
        this.#options.onTrouble(holder.index, error, final);
        if (final) return this.#drop(holder, error);
        failures++;
        if (!(await pause(backOffMs(failures) * (0.5 + Math.random() / 2), signal))) return;
      }
    }
  }

  async #ask(holder: Holder, signal: AbortSignal): Promise<ShareGrant> {
    const grant = await requestShare({ ...holder.request, signal }, this.#options.keys);
    try {
      checkShare(this.#options.manifest, holder.index, grant.share);
      signal.throwIfAborted();
      return grant;
    } catch (error) {
      grant.share.fill(0);
      throw error;
    }
  }

  /** Resolves when the lease ran out and the broker may be asked for a new one; throws when it refuses for good. */
  async #hold(holder: Holder, grant: ShareGrant, signal: AbortSignal): Promise<void> {
    const { index, request } = holder;
    const { keys, onRenewed, onTrouble } = this.#options;
    holder.share = grant;
    const lease = new Lease({
      grant,
      clock: request.clock,
      renew: (leaseId) => renewLease({ ...request, signal }, keys.public, leaseId),
      onRenewed: (renewed) => onRenewed(index, renewed),
      onTrouble: (error) => onTrouble(index, error, false),
    });
    holder.lease = lease;
    if (this.#state === 'gathering') void this.#join();
    else wipe(holder);
    const over = AbortSignal.any([lease.signal, signal]);
    if (!over.aborted) await new Promise((resolve) => over.addEventListener('abort', resolve, { once: true }));
    lease.end();
    holder.lease = undefined;
    wipe(holder);
    if (signal.aborted) return;
    const reason: unknown = lease.signal.reason;
    if (reason instanceof FastnessError && isFinal(reason)) holder.refused = reason;
    this.#check();
    if (holder.refused !== undefined) throw holder.refused;
    if (!this.#ended.signal.aborted) this.#options.onLapsed(index);
  }

  async #join(): Promise<void> {
    const ready = this.#holders.filter(({ share, lease }) => share !== undefined && (lease?.remainingMs() ?? 0) > 0);
    if (ready.length < this.#threshold) return;
    this.#state = 'joining';
    const shares = ready.map(({ index, share }) => [index, share?.share.slice() ?? new Uint8Array()] as const);
    const evidence = ready[0]?.share?.evidence;
    for (const holder of this.#holders) wipe(holder);
    try {
      const root = await joinShares(this.#options.manifest, new Map(shares));
      if (this.#ended.signal.aborted || evidence === undefined) return void root.fill(0);
      this.#state = 'held';
      this.#joined.resolve({ root, evidence });
      this.#check();
    } catch (error) {
      this.#fail(error);
    } finally {
      for (const [, share] of shares) share.fill(0);
    }
  }

  #drop(holder: Holder, error: unknown): void {
    holder.refused = error instanceof FastnessError ? error : new FastnessError('ENCLAVE_UNFORESEEN');
    this.#requireEnough();
  }

  /** While the key is not joined: whether it still can be. */
  #requireEnough(): void {
    const refused = this.#holders.flatMap(({ index, refused: error }) =>
      error === undefined ? [] : [{ index, error }],
    );
    if (this.#state !== 'gathering' || this.#holders.length - refused.length >= this.#threshold) return;
    const reasons = refused.map(({ index, error }) => `share ${index}: ${error.code}`);
    const asked = `${this.#threshold} needed, ${this.#holders.length} asked`;
    this.#fail(new FastnessError('ENCLAVE_TOO_FEW_SHARES', `${[asked, ...reasons].join('; ')}.`));
  }

  #fail(reason: unknown): void {
    this.#joined.reject(reason);
    this.end();
  }

  #check(): void {
    if (this.#state !== 'held' || this.#ended.signal.aborted || this.#live().length >= this.#threshold) return;
    const held = `${this.#live().length} of ${this.#threshold} leases`;
    const refused = this.#holders.flatMap(({ index, refused: error }) =>
      error ? [`share ${index}: ${error.code}`] : [],
    );
    this.end();
    this.#lost.abort(new FastnessError('ENCLAVE_TOO_FEW_LEASES', `${[held, ...refused].join('; ')}.`));
  }

  /** Devices that make evidence serve one at a time. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#collecting.then(work, work);
    this.#collecting = turn.catch(() => undefined);
    return turn;
  }
}

function wipe(holder: Holder): void {
  holder.share?.share.fill(0);
  holder.share = undefined;
}
