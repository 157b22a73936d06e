import type { TrustAnchors } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import type { ClientPolicy } from '../policy.ts';
import type { VerifiedEnclave } from '../verify/verified-enclave.ts';
import { verifyEnclave } from '../verify/verify-enclave.ts';
import type { Outer } from './outer.ts';

export interface SessionOptions {
  readonly outer: Outer;
  readonly policy: ClientPolicy;
  readonly anchors?: TrustAnchors;
  readonly now: () => Date;
  readonly random: (length: number) => Uint8Array;
  /** How long a verification lasts, in milliseconds. */
  readonly lifetime: number;
  readonly onVerified: (enclave: VerifiedEnclave) => void;
}

/**
 * Keeps one verified enclave and verifies again when it grows old. Callers that come while a verification is under way
 * share it. Nothing that failed is kept.
 */
export class Session {
  readonly #options: SessionOptions;
  #current: VerifiedEnclave | undefined;
  #pending: Promise<VerifiedEnclave> | undefined;
  /** The highest release version seen: within the life of this client, it never goes back. */
  #highest: number;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#highest = options.policy.minimumVersion ?? 1;
  }

  /** The verified enclave, verified again when it is older than the lifetime or its release has ended. */
  async current(): Promise<VerifiedEnclave> {
    const enclave = this.#current;
    if (enclave !== undefined && !this.#expired(enclave)) return enclave;
    return this.verify();
  }

  /** Verifies now. */
  verify(): Promise<VerifiedEnclave> {
    this.#pending ??= this.#verify().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** The current enclave if it is another than `stale`; otherwise verifies now. */
  async replace(stale: VerifiedEnclave): Promise<VerifiedEnclave> {
    const enclave = this.#current;
    return enclave !== undefined && enclave !== stale && !this.#expired(enclave) ? enclave : this.verify();
  }

  #expired(enclave: VerifiedEnclave): boolean {
    const time = this.#options.now().getTime();
    const age = time - enclave.verifiedAt.getTime();
    // A clock that went back says nothing about age.
    return age < 0 || age >= this.#options.lifetime || time >= enclave.validUntil.getTime();
  }

  async #verify(): Promise<VerifiedEnclave> {
    const { outer, policy, anchors, now, random, onVerified } = this.#options;
    this.#current = undefined;
    const nonce = random(32);
    if (nonce.length !== 32)
      throw new FastnessError('CLIENT_OPTION_INVALID', 'random must give as many bytes as asked.');
    const bundle = await outer.attest(nonce);
    const enclave = await verifyEnclave({
      bundle,
      nonce,
      policy: { ...policy, minimumVersion: this.#highest },
      now: now(),
      ...(anchors === undefined ? {} : { anchors }),
    });
    this.#highest = Math.max(this.#highest, enclave.release.release.version);
    this.#current = enclave;
    onVerified(enclave);
    return enclave;
  }
}
