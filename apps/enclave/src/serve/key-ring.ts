import { reportDataOf, type Cmw } from '@fastness/attest';
import {
  createGateway,
  createReceiptIssuer,
  createReplayCache,
  evidenceDigestOf,
  type Gateway,
  type ReceiptIssuer,
} from '@fastness/channel';
import { generateEnclaveKeys, type EnclaveKeys } from '../boot/enclave-keys.ts';
import type { CollectEvidence } from '../boot/request-key.ts';
import type { Clock } from '../lease.ts';

/** Keys with everything that works with them. A request stays with the generation it came to. */
export interface Generation {
  readonly keys: EnclaveKeys;
  readonly gateway: Gateway;
  readonly receipts: ReceiptIssuer;
  readonly bornAt: number;
}

export interface KeyRingOptions {
  readonly keys: EnclaveKeys;
  /** Evidence over these keys. */
  readonly evidence: Cmw;
  readonly releaseDigest: Uint8Array;
  readonly collect: CollectEvidence;
  readonly replayEntries: number;
  readonly requestBytes: number;
  /** See `createGateway`. */
  readonly chunkInterval: number;
  readonly clock: Clock;
  readonly now: () => Date;
}

/** The gateway's keys, replaced from time to time and when their replay cache is full. */
export class KeyRing {
  readonly #options: KeyRingOptions;
  #current: Generation;
  #rotation: Promise<void> | undefined;

  private constructor(options: KeyRingOptions, current: Generation) {
    this.#options = options;
    this.#current = current;
  }

  static async create(options: KeyRingOptions): Promise<KeyRing> {
    return new KeyRing(options, await generationOf(options, options.keys, options.evidence));
  }

  get current(): Generation {
    return this.#current;
  }

  ageMs(): number {
    return this.#options.clock() - this.#current.bornAt;
  }

  /**
   * From here on requests to the old keys are refused; those in progress end as they began. The old private keys go with
   * the last of them. Fails like the collector, and then the old generation stays.
   */
  rotate(): Promise<void> {
    this.#rotation ??= this.#replace().finally(() => (this.#rotation = undefined));
    return this.#rotation;
  }

  async #replace(): Promise<void> {
    const keys = await generateEnclaveKeys(this.#current.keys);
    const reportData = await reportDataOf({
      purpose: 'client',
      nonce: globalThis.crypto.getRandomValues(new Uint8Array(32)),
      keyConfigDigest: keys.public.digest,
      releaseDigest: this.#options.releaseDigest,
      deviceEvidenceDigest: null,
    });
    const { evidence } = await this.#options.collect(reportData);
    this.#current = await generationOf(this.#options, keys, evidence);
  }
}

async function generationOf(options: KeyRingOptions, keys: EnclaveKeys, evidence: Cmw): Promise<Generation> {
  return {
    keys,
    gateway: createGateway({
      keys: keys.gateway,
      replayCache: createReplayCache({ capacity: options.replayEntries }),
      limits: { requestBytes: options.requestBytes },
      chunkInterval: options.chunkInterval,
    }),
    receipts: createReceiptIssuer({
      receiptKey: keys.receipt,
      releaseDigest: options.releaseDigest,
      keyConfigDigest: keys.public.digest,
      evidenceDigest: await evidenceDigestOf(evidence),
      now: options.now,
    }),
    bornAt: options.clock(),
  };
}
