/**
 * What the threads working on one job share: which item is next, how many bytes are done, whether to stop. Items are
 * claimed one at a time, in order, so a slow thread holds nobody up and every item before a failed one has been tried.
 */
export interface SharedState {
  /** One buffer for all of it, to hand to another thread. */
  readonly buffer: SharedArrayBuffer;
  /** The next item, or undefined when none is left or someone said stop. */
  claim(items: number): number | undefined;
  addBytes(count: number): void;
  bytes(): number;
  stop(): void;
  /** Ends the job: a thread that has not entered by now never will. */
  close(): void;
  /** Enters the job as helper number `helper`; false when it is closed. */
  enter(helper: number): boolean;
  entered(helper: number): boolean;
}

const nextIndex = 0;
const bytesIndex = 1;
const stopIndex = 2;
const closedIndex = 3;
const firstHelperIndex = 4;

export function newSharedState(helpers: number): SharedState {
  return sharedStateOf(new SharedArrayBuffer((firstHelperIndex + helpers) * 8));
}

export function sharedStateOf(buffer: SharedArrayBuffer): SharedState {
  const words = new BigInt64Array(buffer);
  return {
    buffer,
    claim(items) {
      if (Atomics.load(words, stopIndex) !== 0n) return undefined;
      const item = Number(Atomics.add(words, nextIndex, 1n));
      return item < items ? item : undefined;
    },
    addBytes: (count) => void Atomics.add(words, bytesIndex, BigInt(count)),
    bytes: () => Number(Atomics.load(words, bytesIndex)),
    stop: () => void Atomics.store(words, stopIndex, 1n),
    close: () => void Atomics.store(words, closedIndex, 1n),
    // Store, then load, on both sides: either the helper sees that the job is closed, or the closer sees the helper.
    enter(helper) {
      Atomics.store(words, firstHelperIndex + helper, 1n);
      return Atomics.load(words, closedIndex) === 0n;
    },
    entered: (helper) => Atomics.load(words, firstHelperIndex + helper) !== 0n,
  };
}
