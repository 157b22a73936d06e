import { FastnessError } from '@fastness/codec/errors';

export interface AdmissionLimits {
  /** Requests that were received whole and are being answered. */
  readonly concurrent: number;
  /** Requests of which a part is still to come. */
  readonly arriving: number;
  /** Until the first sealed chunk must have opened, and until the last must be here. Milliseconds. */
  readonly openMs: number;
  readonly arriveMs: number;
}

/** The place of one request among those that the enclave holds. */
export interface Place {
  /** Fires when the place is taken away; the reason is a FastnessError to answer with. */
  readonly signal: AbortSignal;
  /** The first chunk came from somebody who knows the enclave's key. */
  opened(): void;
  /** The last byte is here: from now on it counts as in progress. Throws ENCLAVE_BUSY, which takes the place away. */
  received(): void;
  /** The answer is on its way, so that a full house no longer refuses the request. */
  answered(): void;
  /** Once the answer is out, or nobody wants it. May be called again. */
  leave(): void;
}

/**
 * Who may hold what. Anybody can open connections and say nothing, so a request that is not here yet takes no place from
 * those that are: it waits among the arriving ones, where a newcomer takes the place of the oldest and time is short.
 * An honest request is there for milliseconds; who sends a byte a second is the oldest soon.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  /** In the order in which they came. */
  readonly #arriving = new Set<AbortController>();
  #running = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get arriving(): number {
    return this.#arriving.size;
  }

  get running(): number {
    return this.#running;
  }

  /** Throws ENCLAVE_BUSY when as many are in progress as may be. */
  enter(): Place {
    this.#requireRoom();
    const [oldest] = this.#arriving;
    if (oldest !== undefined && this.#arriving.size >= this.#limits.arriving) {
      this.#remove(oldest, new FastnessError('ENCLAVE_BUSY', 'Newer requests took the place of this slow one.'));
    }
    const controller = new AbortController();
    this.#arriving.add(controller);
    const since = performance.now();
    const late = (what: string) => () => this.#remove(controller, new FastnessError('ENCLAVE_TIME_LIMIT', what));
    let timer = setTimeout(late('The request did not begin in time.'), this.#limits.openMs);
    let answered = false;
    let runs = false;
    return {
      signal: controller.signal,
      opened: () => {
        clearTimeout(timer);
        if (!this.#arriving.has(controller)) return;
        const left = Math.max(1, this.#limits.arriveMs - (performance.now() - since));
        timer = setTimeout(late('The request did not arrive in time.'), left);
      },
      received: () => {
        clearTimeout(timer);
        if (!this.#arriving.has(controller)) return;
        try {
          if (!answered) this.#requireRoom();
        } catch (error) {
          this.#remove(controller, error);
          throw error;
        }
        this.#arriving.delete(controller);
        this.#running++;
        runs = true;
      },
      answered: () => (answered = true),
      leave: () => {
        clearTimeout(timer);
        this.#arriving.delete(controller);
        if (runs) this.#running--;
        runs = false;
      },
    };
  }

  #requireRoom(): void {
    if (this.#running < this.#limits.concurrent) return;
    throw new FastnessError('ENCLAVE_BUSY', `${this.#running} requests are in progress.`);
  }

  #remove(controller: AbortController, reason: unknown): void {
    if (this.#arriving.delete(controller)) controller.abort(reason);
  }
}

/** The body of a request as it arrives: it fails when its place is taken away, and tells the place when it is whole. */
export function arrivingBody(body: ReadableStream<Uint8Array>, place: Place): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const { signal } = place;
  let stop = (): void => {};
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        stop = () => {
          controller.error(signal.reason);
          void reader.cancel(signal.reason).catch(() => {});
        };
        if (signal.aborted) stop();
        else signal.addEventListener('abort', stop, { once: true });
      },
      async pull(controller) {
        const { value, done } = await reader.read();
        if (signal.aborted) return;
        if (!done) {
          controller.enqueue(value);
          return;
        }
        place.received();
        signal.removeEventListener('abort', stop);
        controller.close();
      },
      async cancel(reason) {
        signal.removeEventListener('abort', stop);
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
