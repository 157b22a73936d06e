import { frameEnd, maxFrameBytes, placeFrame, type PlacedFrame } from './frames.ts';
import { NativeBlock } from './memory.ts';

/** Puts bytes of the stream at `offset` and says how many, 0 at its end. */
export type ReadInto = (bytes: Uint8Array, offset: number, length: number) => number;

/** Read at a time, unless a frame is larger. */
const readAtMost = 65_536;

/**
 * What the child is asked, in native memory: a module finds its arguments where they arrived, and nothing of them has a
 * copy in the JavaScript heap. A frame is wiped as soon as it is answered.
 */
export class RequestStream {
  readonly block = new NativeBlock(4 + maxFrameBytes);
  readonly #read: ReadInto;
  #held = 0;

  constructor(read: ReadInto) {
    this.#read = read;
  }

  /** Reads once, and gives every frame that is whole to `work`. False at the end of the stream. Errors: KEYS_HSM_PROTOCOL. */
  read(work: (frame: PlacedFrame) => void): boolean {
    const { bytes, view } = this.block;
    const count = this.#read(bytes, this.#held, Math.min(readAtMost, bytes.length - this.#held));
    if (count === 0) return false;
    const held = this.#held + count;
    let start = 0;
    for (;;) {
      const end = frameEnd(view, start, held);
      if (end === undefined) break;
      try {
        work(placeFrame(view, start, end));
      } finally {
        bytes.fill(0, start, end);
      }
      start = end;
    }
    this.#held = held - start;
    if (start > 0 && this.#held > 0) {
      bytes.copyWithin(0, start, held);
      bytes.fill(0, Math.max(start, this.#held), held);
    }
    return true;
  }
}
