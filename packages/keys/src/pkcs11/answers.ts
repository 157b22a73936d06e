import type { Target } from './gcm-opener.ts';
import { outcomes } from './messages.ts';
import { maxOutput } from './module.ts';
import { NativeBlock } from './memory.ts';

/** Answers wait for each other this long, milliseconds, to share one write... */
const gatherFor = 1;
/** ...and until there are so many: the other process works on them, and asks more, while this one goes on. */
const gatherAtMost = 8;
/** Of an answer with one field: what comes before its bytes. */
const headBytes = 14;
const blockBytes = (gatherAtMost + 1) * (headBytes + maxOutput);

/** What the child answers: gathered in native memory, which is wiped when it is written. */
export class Answers {
  readonly #block = new NativeBlock(blockBytes);
  readonly #write: (bytes: Uint8Array) => void;
  #used = 0;
  /** How far the block may hold something: a module may write beyond what it gives. */
  #touched = 0;
  #count = 0;
  #since = 0;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  /** Requests have come: answers wait from now on. */
  begin(): void {
    this.#since = performance.now();
  }

  /** One that is made already; wiped. */
  put(frame: Uint8Array): void {
    if (frame.length > blockBytes - this.#used) this.flush();
    if (frame.length > blockBytes) this.#write(frame);
    else {
      this.#block.bytes.set(frame, this.#used);
      this.#advance(frame.length);
    }
    frame.fill(0);
  }

  /** One whose only field `work` writes to its place; it returns how many bytes. When it throws, there is no answer. */
  place(request: number, work: (target: Target) => number): void {
    if (headBytes + maxOutput > blockBytes - this.#used) this.flush();
    const start = this.#used;
    this.#touched = Math.max(this.#touched, start + headBytes + maxOutput);
    const length = work({ block: this.#block, offset: start + headBytes });
    const { view } = this.#block;
    view.setUint32(start, headBytes - 4 + length);
    view.setUint32(start + 4, request);
    view.setUint8(start + 8, outcomes.done);
    view.setUint8(start + 9, 1);
    view.setUint32(start + 10, length);
    this.#advance(headBytes + length);
  }

  /** Writes when enough are there, or the first waited long enough. */
  settle(): void {
    if (this.#count === 0) return;
    const now = performance.now();
    if (this.#count < gatherAtMost && now - this.#since < gatherFor) return;
    this.flush();
    this.#since = now;
  }

  flush(): void {
    if (this.#used > 0) this.#write(this.#block.bytes.subarray(0, this.#used));
    this.#block.bytes.fill(0, 0, this.#touched);
    this.#used = 0;
    this.#touched = 0;
    this.#count = 0;
  }

  #advance(length: number): void {
    this.#used += length;
    this.#touched = Math.max(this.#touched, this.#used);
    this.#count += 1;
  }
}
