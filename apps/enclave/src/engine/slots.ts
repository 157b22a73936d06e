import { FastnessError } from '@fastness/codec/errors';

interface Entry<T> {
  readonly give: (item: T) => void;
  readonly fail: (reason: unknown) => void;
}

/**
 * A fixed set of things that one request at a time may use, and a bounded queue in front of it, shared fairly: whoever uses
 * the fewest is next, among those in turns, and a tenant's own requests in the order in which they came. A full queue takes a
 * tenant with less than its share at the expense of the one with the most.
 */
export class Slots<T> {
  readonly #free: T[];
  /** By tenant, in the order of their turns. */
  readonly #waiting = new Map<string, Entry<T>[]>();
  readonly #running = new Map<string, number>();
  readonly #users = new Map<T, string>();
  readonly #queueLimit: number;
  #queued = 0;
  #closed: FastnessError | undefined;

  constructor(items: readonly T[], queueLimit: number) {
    this.#free = [...items];
    this.#queueLimit = queueLimit;
  }

  /**
   * Rejects with ENCLAVE_BUSY at once, or later where others with less need the place, and with the signal's reason when it
   * fires. Requests without a tenant share the one of nobody.
   */
  async acquire(signal: AbortSignal, tenant = ''): Promise<T> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    const item = this.#free.pop();
    if (item !== undefined) return this.#use(item, tenant);
    this.#makeRoom(tenant);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const entry: Entry<T> = { give: resolve, fail: reject };
    const leave = (): void => {
      this.#remove(tenant, entry);
      reject(signal.reason);
    };
    const queue = this.#waiting.get(tenant) ?? [];
    queue.push(entry);
    this.#waiting.set(tenant, queue);
    this.#queued += 1;
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  release(item: T): void {
    const user = this.#users.get(item) ?? '';
    this.#users.delete(item);
    const left = (this.#running.get(user) ?? 1) - 1;
    if (left === 0) this.#running.delete(user);
    else this.#running.set(user, left);
    const next = this.#next();
    if (next === undefined) this.#free.push(item);
    else next.entry.give(this.#use(item, next.tenant));
  }

  /** Everyone who waits, and everyone who comes later, gets `error`. */
  close(error: FastnessError): void {
    this.#closed = error;
    for (const entry of [...this.#waiting.values()].flat()) entry.fail(error);
    this.#waiting.clear();
    this.#queued = 0;
  }

  #use(item: T, tenant: string): T {
    this.#users.set(item, tenant);
    this.#running.set(tenant, (this.#running.get(tenant) ?? 0) + 1);
    return item;
  }

  #next(): { entry: Entry<T>; tenant: string } | undefined {
    let chosen: string | undefined;
    for (const tenant of this.#waiting.keys()) {
      const fewer = (this.#running.get(tenant) ?? 0) < (this.#running.get(chosen ?? '') ?? 0);
      if (chosen === undefined || fewer) chosen = tenant;
    }
    const entry = this.#waiting.get(chosen ?? '')?.[0];
    if (chosen === undefined || entry === undefined) return undefined;
    this.#remove(chosen, entry);
    // To the end of the turns.
    const rest = this.#waiting.get(chosen);
    if (rest !== undefined) {
      this.#waiting.delete(chosen);
      this.#waiting.set(chosen, rest);
    }
    return { entry, tenant: chosen };
  }

  #makeRoom(tenant: string): void {
    if (this.#queued < this.#queueLimit) return;
    const mine = this.#waiting.get(tenant)?.length ?? 0;
    let most: { tenant: string; queue: readonly Entry<T>[] } | undefined;
    for (const [other, queue] of this.#waiting) {
      if (queue.length > (most?.queue.length ?? mine + 1)) most = { tenant: other, queue };
    }
    const last = most?.queue.at(-1);
    if (most === undefined || last === undefined) {
      throw new FastnessError('ENCLAVE_BUSY', `${this.#queued} requests are waiting.`);
    }
    this.#remove(most.tenant, last);
    last.fail(new FastnessError('ENCLAVE_BUSY', 'Others who wait for less came.'));
  }

  #remove(tenant: string, entry: Entry<T>): void {
    const queue = this.#waiting.get(tenant);
    const index = queue?.indexOf(entry) ?? -1;
    if (queue === undefined || index < 0) return;
    queue.splice(index, 1);
    this.#queued -= 1;
    if (queue.length === 0) this.#waiting.delete(tenant);
  }
}
