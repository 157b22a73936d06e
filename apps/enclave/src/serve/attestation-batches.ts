import { setImmediate as turn } from 'node:timers/promises';
import {
  gatherNonces,
  NONCE_BATCH_MAX,
  type NonceProof,
  type SessionBinding,
  type SessionPurpose,
} from '@fastness/attest';
import { nodePrimitives } from '@fastness/channel/node';
import { FastnessError } from '@fastness/codec/errors';

/** What a nonce is answered with: `proof` is undefined where evidence was made for this nonce alone. */
export interface Answered<Answer> {
  readonly answer: Answer;
  readonly proof: NonceProof | undefined;
}

/** Makes one answer for a nonce, or for all nonces under a root. */
export type MakeAnswer<Answer> = (asked: Pick<SessionBinding, 'purpose' | 'nonce'>) => Promise<Answer>;

/** What evidence is made for: one nonce alone, and all under a root. */
export type BatchPurposes = readonly [alone: SessionPurpose, batch: SessionPurpose];

interface Waiting<Answer> {
  readonly nonce: Uint8Array;
  readonly resolve: (answered: Answered<Answer>) => void;
  readonly reject: (error: unknown) => void;
}

export interface BatchLimits {
  /** Nonces that may wait, 1 to 4096; all of them are answered at once. */
  readonly waiting: number;
  readonly perSecond: number;
  /** Milliseconds that a nonce may wait until its evidence begins to be made. */
  readonly waitMs: number;
}

/** Answered in one turn of the event loop: a timer that is due, as for the next quote, waits for so many and not for all. */
const answeredAtOnce = 8;

/**
 * Fresh evidence for every client without a quote for every client. A quote of real hardware takes tens of milliseconds of a
 * processor that serves one caller at a time, and anyone can ask for one. Nonces that arrive while one is being made wait
 * together, and the next answers all of them: a nonce is answered at the end of the quote after the one under way. Answers
 * go out in the order in which their nonces came, while the quote after is being made.
 */
export class AttestationBatches<Answer> {
  readonly #limits: BatchLimits;
  readonly #make: MakeAnswer<Answer>;
  readonly #purposes: BatchPurposes;
  #waiting = new Set<Waiting<Answer>>();
  #running = false;

  constructor(limits: BatchLimits, make: MakeAnswer<Answer>, purposes: BatchPurposes = ['client', 'client-batch']) {
    this.#purposes = purposes;
    this.#limits = { ...limits, waiting: Math.min(limits.waiting, NONCE_BATCH_MAX) };
    this.#make = make;
  }

  /** How many nonces wait for the next quote. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Answers a nonce of 32 bytes. Whoever raises `signal` leaves the queue.
   * Throws ENCLAVE_BUSY when the queue is full, ENCLAVE_TIME_LIMIT, and what making the answer throws.
   */
  async ask(nonce: Uint8Array, signal?: AbortSignal): Promise<Answered<Answer>> {
    signal?.throwIfAborted();
    if (this.#waiting.size >= this.#limits.waiting)
      throw new FastnessError('ENCLAVE_BUSY', `${this.#waiting.size} attestations are waiting.`);
    const { promise, resolve, reject } = Promise.withResolvers<Answered<Answer>>();
    const mine: Waiting<Answer> = { nonce, resolve, reject };
    const leave = (reason: unknown): void => {
      if (this.#waiting.delete(mine)) reject(reason);
    };
    const gone = (): void => leave(signal?.reason);
    const late = setTimeout(
      () => leave(new FastnessError('ENCLAVE_TIME_LIMIT', 'No evidence was begun in time.')),
      this.#limits.waitMs,
    );
    signal?.addEventListener('abort', gone, { once: true });
    this.#waiting.add(mine);
    if (!this.#running) void this.#run();
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      signal?.removeEventListener('abort', gone);
    }
  }

  /** One quote after the other, each not before the share of a second of the last has passed, while anybody waits. */
  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.size > 0) {
      const spacing = new Promise((resolve) => setTimeout(resolve, 1000 / this.#limits.perSecond));
      const batch = [...this.#waiting];
      this.#waiting = new Set();
      await this.#answer(batch);
      await spacing;
      // Nonces that have arrived but were not read yet come along: they would wait a whole quote longer.
      await turn();
    }
    this.#running = false;
  }

  /** Never throws: whoever waits gets the error. */
  async #answer(batch: readonly Waiting<Answer>[]): Promise<void> {
    try {
      const [alone, together] = this.#purposes;
      const [only, ...others] = batch;
      if (only === undefined) return;
      if (others.length === 0) {
        only.resolve({ answer: await this.#make({ purpose: alone, nonce: only.nonce }), proof: undefined });
        return;
      }
      const nonces = batch.map(({ nonce }) => nonce);
      const { root, proof } = await gatherNonces(nonces, nodePrimitives.sha256);
      const answer = await this.#make({ purpose: together, nonce: root });
      // Not awaited: nobody's quote waits for the answers of others. It cannot fail.
      void answerInTurns(batch, (index) => ({ answer, proof: proof(index) }));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

/** The first ones, who have waited longest, at once; some more in each turn. */
async function answerInTurns<Answer>(
  batch: readonly Waiting<Answer>[],
  answered: (index: number) => Answered<Answer>,
): Promise<void> {
  for (const [index, { resolve }] of batch.entries()) {
    if (index > 0 && index % answeredAtOnce === 0) await turn();
    resolve(answered(index));
  }
}
