import { FastnessError } from '@fastness/codec/errors';

/**
 * Runs work one piece after the other, at a bounded rate and with a bounded queue. A quote of real hardware takes tens
 * of milliseconds of a processor that serves one caller at a time, and anyone can ask for one.
 */
export class Quota {
  readonly #queueLimit: number;
  readonly #spacingMs: number;
  #waiting = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: { queue: number; perSecond: number }) {
    this.#queueLimit = options.queue;
    this.#spacingMs = 1000 / options.perSecond;
  }

  /** Throws ENCLAVE_BUSY when the queue is full. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting > this.#queueLimit)
      throw new FastnessError('ENCLAVE_BUSY', `${this.#waiting} attestations are waiting.`);
    this.#waiting++;
    const mine = this.#tail.then(work);
    // The next one starts after this one ended, and not before its share of a second has passed.
    const spacing = this.#tail.then(() => new Promise((resolve) => setTimeout(resolve, this.#spacingMs)));
    this.#tail = Promise.allSettled([mine, spacing]);
    try {
      return await mine;
    } finally {
      this.#waiting--;
    }
  }
}
