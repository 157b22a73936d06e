import { FastnessError } from '@fastness/codec/errors';

/**
 * A fixed set of things that one request at a time may use, and a bounded queue in front of it, first come first served.
 */
export class Slots<T> {
  readonly #free: T[];
  readonly #waiting: { give: (item: T) => void; fail: (reason: unknown) => void }[] = [];
  readonly #queueLimit: number;
  #closed: FastnessError | undefined;

  constructor(items: readonly T[], queueLimit: number) {
    this.#free = [...items];
    this.#queueLimit = queueLimit;
  }

  /** Rejects with ENCLAVE_BUSY at once when the queue is full, and with the signal's reason when it fires. */
  async acquire(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    const item = this.#free.pop();
    if (item !== undefined) return item;
    if (this.#waiting.length >= this.#queueLimit) {
      throw new FastnessError('ENCLAVE_BUSY', `${this.#waiting.length} requests are waiting.`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const entry = { give: resolve, fail: reject };
    const leave = (): void => {
      const index = this.#waiting.indexOf(entry);
      if (index >= 0) this.#waiting.splice(index, 1);
      reject(signal.reason);
    };
    this.#waiting.push(entry);
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  release(item: T): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(item);
    else next.give(item);
  }

  /** Everyone who waits, and everyone who comes later, gets `error`. */
  close(error: FastnessError): void {
    this.#closed = error;
    for (const entry of this.#waiting.splice(0)) entry.fail(error);
  }
}
