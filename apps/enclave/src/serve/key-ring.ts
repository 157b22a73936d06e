import type { Cmw, CmwCollection } from '@fastness/attest';
import {
  createGateway,
  createReceiptIssuer,
  createReplayCache,
  evidenceDigestOf,
  pullStream,
  signSuccession,
  streamSource,
  type ChannelProtocol,
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
  /** What the first keys, those the lease was granted to, say of these (COSE_Sign1); undefined for the first keys. */
  readonly succession: Uint8Array | undefined;
}

export interface KeyRingOptions {
  readonly keys: EnclaveKeys;
  /** Evidence over these keys. */
  readonly evidence: Cmw | CmwCollection;
  readonly releaseDigest: Uint8Array;
  readonly collect: CollectEvidence;
  readonly replayEntries: number;
  readonly requestBytes: number;
  /** See `createGateway`. */
  readonly chunkInterval: number;
  /** See `createGateway`. */
  readonly protocols?: readonly ChannelProtocol[];
  readonly clock: Clock;
  readonly now: () => Date;
  /** Milliseconds for which replaced keys still answer, so that no client has a request refused for having verified before. */
  readonly overlapMs: number;
}

/**
 * The gateway's keys, replaced from time to time and when their replay cache is full. The keys before them answer for a while
 * longer, each generation with its own replay cache and receipts: a client stays with the keys that it verified.
 */
export class KeyRing {
  readonly #options: KeyRingOptions;
  #current: Generation;
  #previous: { readonly generation: Generation; readonly until: number; readonly drop: NodeJS.Timeout } | undefined;
  #rotation: Promise<void> | undefined;

  private constructor(options: KeyRingOptions, current: Generation) {
    this.#options = options;
    this.#current = current;
  }

  static async create(options: KeyRingOptions): Promise<KeyRing> {
    return new KeyRing(options, await generationOf(options, options.keys, options.evidence));
  }

  /** The keys that the lease was granted to. */
  get first(): EnclaveKeys {
    return this.#options.keys;
  }

  /** What the keys answer. */
  get protocols(): ReadonlySet<ChannelProtocol> {
    return this.#current.gateway.protocols;
  }

  /** Sealed bytes that one request may have. */
  get requestBytes(): number {
    return this.#options.requestBytes;
  }

  /** Those that answer now, the current one first. */
  get generations(): readonly Generation[] {
    const previous = this.#previousNow();
    return previous === undefined ? [this.#current] : [this.#current, previous];
  }

  get current(): Generation {
    return this.#current;
  }

  ageMs(): number {
    return this.#options.clock() - this.#current.bornAt;
  }

  /**
   * The generation that a request is sealed to, by the key id in its first byte, and the request's stream from its beginning.
   * A key id that no generation has gets the current one, which refuses it. Throws what reading the stream throws.
   */
  async generationFor(
    request: ReadableStream<Uint8Array>,
  ): Promise<{ generation: Generation; stream: ReadableStream<Uint8Array> }> {
    const source = streamSource(request);
    let first: Uint8Array | undefined;
    do first = await source.next();
    while (first?.length === 0);
    const keyId = first?.[0];
    const next = async (): Promise<Uint8Array | undefined> => {
      const part = first ?? (await source.next());
      first = undefined;
      return part;
    };
    const stream = pullStream({ next, cancel: source.cancel });
    const previous = this.#previousNow();
    const isPrevious = keyId !== undefined && previous?.keys.gateway.keyIds.includes(keyId) === true;
    return { generation: isPrevious ? previous : this.#current, stream };
  }

  /** Forgets the replaced keys; requests in progress keep what they need. */
  close(): void {
    clearTimeout(this.#previous?.drop);
    this.#previous = undefined;
  }

  /**
   * New keys for who asks from here on. Requests to the old ones are answered until the overlap is over, and those in progress
   * end as they began; the old private keys go with the last of them. Fails like the collector, and then the old generation
   * stays.
   */
  rotate(): Promise<void> {
    this.#rotation ??= this.#replace().finally(() => (this.#rotation = undefined));
    return this.#rotation;
  }

  async #replace(): Promise<void> {
    const keys = await generateEnclaveKeys(this.#current.keys);
    const { evidence } = await this.#options.collect({
      purpose: 'client',
      nonce: globalThis.crypto.getRandomValues(new Uint8Array(32)),
      keyConfigDigest: keys.public.digest,
      releaseDigest: this.#options.releaseDigest,
    });
    const next = await generationOf(
      this.#options,
      keys,
      evidence,
      await signSuccession({ keyConfigDigest: keys.public.digest, sign: this.#options.keys.receipt.sign }),
    );
    const { clock, overlapMs } = this.#options;
    this.close();
    // The timer forgets in time; what decides is the clock, which a pause of the machine does not stop.
    const drop = setTimeout(() => this.close(), overlapMs);
    drop.unref();
    this.#previous = { generation: this.#current, until: clock() + overlapMs, drop };
    this.#current = next;
  }

  #previousNow(): Generation | undefined {
    const previous = this.#previous;
    if (previous === undefined) return undefined;
    if (this.#options.clock() < previous.until) return previous.generation;
    this.close();
    return undefined;
  }
}

async function generationOf(
  options: KeyRingOptions,
  keys: EnclaveKeys,
  evidence: Cmw | CmwCollection,
  succession?: Uint8Array,
): Promise<Generation> {
  return {
    keys,
    gateway: createGateway({
      keys: keys.gateway,
      replayCache: createReplayCache({ capacity: options.replayEntries }),
      limits: { requestBytes: options.requestBytes },
      chunkInterval: options.chunkInterval,
      ...(options.protocols === undefined ? {} : { protocols: options.protocols }),
    }),
    receipts: createReceiptIssuer({
      receiptKey: keys.receipt,
      releaseDigest: options.releaseDigest,
      keyConfigDigest: keys.public.digest,
      evidenceDigest: await evidenceDigestOf(evidence),
      now: options.now,
    }),
    bornAt: options.clock(),
    succession,
  };
}
