import type { TrustAnchors } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { nothingRemembered, readRemembered, remember, type ClientMemory, type Remembered } from '../memory.ts';
import type { ClientPolicy } from '../policy.ts';
import type { VerifiedEnclave } from '../verify/verified-enclave.ts';
import { verifyEnclave } from '../verify/verify-enclave.ts';
import type { CompleteClientEndorsements } from './client.ts';
import { completeBundle } from './complete-bundle.ts';
import type { Outer } from './outer.ts';
import { unlessAborted, withinTime } from './time-limit.ts';

export interface SessionOptions {
  readonly outer: Outer;
  readonly policy: ClientPolicy;
  readonly anchors?: TrustAnchors;
  readonly now: () => Date;
  readonly random: (length: number) => Uint8Array;
  /** How long a verification lasts, in milliseconds. */
  readonly lifetime: number;
  readonly attestTimeoutMs: number;
  readonly completeEndorsements?: CompleteClientEndorsements;
  readonly memory?: ClientMemory;
  readonly onVerified: (enclave: VerifiedEnclave) => void;
  /** Told the TLS key of an enclave that was verified on a TLS connection of its own. */
  readonly pin?: (spki: Uint8Array) => void;
}

/** A verification under way, and how many callers wait for it. */
interface Pending {
  readonly result: Promise<VerifiedEnclave>;
  readonly abandoned: AbortController;
  waiting: number;
}

/**
 * Keeps one verified enclave and verifies again when it grows old. Callers that come while a verification is under way
 * share it; one that aborts leaves it to the others, and the last one to leave ends it. Nothing that failed is kept.
 */
export class Session {
  readonly #options: SessionOptions;
  #current: VerifiedEnclave | undefined;
  #pending: Pending | undefined;
  #policy: ClientPolicy;
  /** The highest release version seen: within the life of this client, it never goes back. */
  #highest: number;
  /** Likewise of the owners' sets, and of every model; what is kept elsewhere goes before it. */
  #remembered: Remembered = nothingRemembered;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#policy = options.policy;
    this.#highest = options.policy.minimumVersion ?? 1;
  }

  /** From here on nothing that was verified under another policy is given out. */
  setPolicy(policy: ClientPolicy): void {
    this.#policy = policy;
    this.#current = undefined;
  }

  /** The verified enclave, verified again when it is older than the lifetime, or its lease or its release has ended. */
  async current(signal?: AbortSignal): Promise<VerifiedEnclave> {
    const enclave = this.#current;
    if (enclave !== undefined && !this.#expired(enclave)) return enclave;
    return this.verify(signal);
  }

  /** Verifies now. */
  async verify(signal?: AbortSignal): Promise<VerifiedEnclave> {
    signal?.throwIfAborted();
    this.#pending ??= this.#start();
    const pending = this.#pending;
    pending.waiting += 1;
    try {
      return await unlessAborted(pending.result, signal);
    } finally {
      pending.waiting -= 1;
      if (pending.waiting === 0) this.#end(pending);
    }
  }

  /** The current enclave if it is another than `stale`; otherwise verifies now. */
  async replace(stale: VerifiedEnclave, signal?: AbortSignal): Promise<VerifiedEnclave> {
    const enclave = this.#current;
    return enclave !== undefined && enclave !== stale && !this.#expired(enclave) ? enclave : this.verify(signal);
  }

  #expired(enclave: VerifiedEnclave): boolean {
    const time = this.#options.now().getTime();
    const age = time - enclave.verifiedAt.getTime();
    // A clock that went back says nothing about age.
    return age < 0 || age >= this.#options.lifetime || time >= enclave.verifyAgainAt.getTime();
  }

  #start(): Pending {
    const abandoned = new AbortController();
    const pending: Pending = { result: this.#verify(abandoned.signal), abandoned, waiting: 0 };
    // Before anybody who waits goes on: whoever verifies after that gets a verification of their own.
    const end = (): void => this.#end(pending);
    pending.result.then(end, end);
    return pending;
  }

  /** Whoever comes after this starts anew. */
  #end(pending: Pending): void {
    if (this.#pending === pending) this.#pending = undefined;
    pending.abandoned.abort();
  }

  async #verify(signal: AbortSignal): Promise<VerifiedEnclave> {
    const { outer, anchors, now, random, attestTimeoutMs, completeEndorsements, memory, onVerified } = this.#options;
    this.#current = undefined;
    const policy = this.#policy;
    const nonce = random(32);
    if (nonce.length !== 32)
      throw new FastnessError('CLIENT_OPTION_INVALID', 'random must give as many bytes as asked.');
    const limit = { ms: attestTimeoutMs, what: 'The attestation', signal };
    const answered = await withinTime(limit, (within) => outer.attest(nonce, within));
    const { tls } = answered;
    const bundle =
      completeEndorsements === undefined
        ? answered.bundle
        : await completeBundle(answered.bundle, completeEndorsements, signal);
    const remembered = memory === undefined ? this.#remembered : readRemembered(await memory.read());
    const enclave = await verifyEnclave({
      bundle,
      nonce,
      policy: { ...policy, minimumVersion: Math.max(this.#highest, policy.minimumVersion ?? 1) },
      now: now(),
      remembered,
      ...(tls === undefined ? {} : { tls }),
      ...(anchors === undefined ? {} : { anchors }),
    });
    const { modelId, version } = enclave.release.release;
    const next = remember(remembered, { owners: enclave.owners?.version ?? 0, modelId, version });
    // Kept before it is used: a version that was used is never forgotten.
    if (next !== undefined) await memory?.write(next);
    // Another verification may be under way by now; an abandoned one changes nothing.
    signal.throwIfAborted();
    if (policy !== this.#policy) return this.#verify(signal);
    this.#highest = Math.max(this.#highest, enclave.release.release.version);
    if (next !== undefined) this.#remembered = readRemembered(next);
    this.#current = enclave;
    if (tls !== undefined) this.#options.pin?.(tls.spki);
    onVerified(enclave);
    return enclave;
  }
}
