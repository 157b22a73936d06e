import { concatBytes } from '@fastness/codec/bytes';
import type { StreamSource } from '../stream-source.ts';

/** Bytes of a body that may wait; above it, the producer waits. */
const highWater = 65_536;
/** Promises, one after the other, that bytes on hand in a stream of streams pass through; a turn takes 0.1 µs. */
const handOverTurns = 64;
const handedOver = Promise.resolve();

/**
 * Reads a body ahead of the one who seals it, up to 64 KiB, so that small parts gather instead of costing a chunk each.
 */
export class BodyBuffer {
  readonly #source: StreamSource;
  readonly #observe: (bytes: Uint8Array) => Promise<void> | undefined;
  #parts: Uint8Array[] = [];
  #size = 0;
  #done = false;
  #failed = false;
  #failure: unknown;
  #wake: (() => void) | undefined;
  #room: (() => void) | undefined;

  constructor(source: StreamSource, observe: (bytes: Uint8Array) => Promise<void> | undefined) {
    this.#source = source;
    this.#observe = observe;
    void this.#run();
  }

  /** Bytes that wait. */
  get size(): number {
    return this.#size;
  }

  /** Gives a body that has bytes ready the moment it takes to hand them over: promises, and no time. */
  async atHand(): Promise<void> {
    for (let turn = 0; turn < handOverTurns && this.#size === 0 && !this.#done; turn += 1) await handedOver;
  }

  /** Resolves when bytes wait or the body has ended; rejects when the body failed. */
  async arrived(): Promise<void> {
    while (this.#size === 0 && !this.#done) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failed && this.#size === 0) throw this.#failure;
  }

  /**
   * Resolves after `milliseconds`, or sooner: when `full` bytes wait, or when nothing more will come.
   */
  async gathered(milliseconds: number, full: number): Promise<void> {
    const deadline = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => deadline.resolve('late'), milliseconds);
    for (;;) {
      if (this.#done || this.#size >= full) break;
      const woken = new Promise<'woken'>((resolve) => {
        this.#wake = () => resolve('woken');
      });
      if ((await Promise.race([woken, deadline.promise])) === 'late') break;
    }
    clearTimeout(timer);
  }

  /** True when the body has ended and nothing waits. A body that failed has not ended: `arrived` rejects. */
  ended(): boolean {
    return this.#done && !this.#failed && this.#size === 0;
  }

  /** Takes at most `max` of the bytes that wait. */
  cut(max: number): Uint8Array {
    const all = this.#parts.length === 1 ? (this.#parts[0] ?? new Uint8Array(0)) : concatBytes(...this.#parts);
    const bytes = all.subarray(0, max);
    const rest = all.subarray(bytes.length);
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
    if (this.#size < highWater) this.#room?.();
    return bytes;
  }

  async cancel(reason?: unknown): Promise<void> {
    this.#done = true;
    this.#room?.();
    await this.#source.cancel(reason);
  }

  async #run(): Promise<void> {
    try {
      for (let bytes = await this.#source.next(); bytes !== undefined; bytes = await this.#source.next()) {
        if (this.#done) return;
        await this.#observe(bytes);
        if (bytes.length > 0) this.#parts.push(bytes);
        this.#size += bytes.length;
        this.#wake?.();
        while (this.#size >= highWater && !this.#done) {
          await new Promise<void>((resolve) => {
            this.#room = resolve;
          });
        }
      }
    } catch (error) {
      this.#failed = true;
      this.#failure = error;
    }
    this.#done = true;
    this.#wake?.();
  }
}
