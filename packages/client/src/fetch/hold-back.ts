import type { StreamSource } from '@fastness/channel';
import { concatBytes, utf8Encode } from '@fastness/codec/bytes';

/** Bytes after the mark that are held at most; a stream that goes on for longer had not ended. */
const maxHeld = 16_384;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const field = utf8Encode('data:');
const mark = utf8Encode('[DONE]');
const empty = new Uint8Array(0);

/**
 * Holds back the end mark of an event stream, `data: [DONE]`, until its source has ended. Readers of event streams stop at
 * the mark and read no further: without this, they would never get to the error of a response that was cut or whose
 * receipt is wrong. Everything before the mark passes at once.
 */
export function holdBackEnd(source: StreamSource): StreamSource {
  const scanner = new MarkScanner();
  return {
    cancel: source.cancel,
    next: async () => {
      for (;;) {
        const bytes = await source.next();
        if (bytes === undefined) return scanner.rest();
        const passed = scanner.push(bytes);
        if (passed.length > 0) return passed;
      }
    },
  };
}

/** Splits what arrives into what may pass and what is held. */
class MarkScanner {
  #held: Uint8Array = empty;
  #marked = false;
  #atLineStart = true;

  /** Takes bytes in; gives those that may pass. */
  push(bytes: Uint8Array): Uint8Array {
    const all = this.#held.length === 0 ? bytes : concatBytes(this.#held, bytes);
    if (this.#marked && all.length <= maxHeld) {
      this.#held = all;
      return empty;
    }
    const at = this.#marked ? { start: all.length, marked: false } : findMark(all, this.#atLineStart);
    this.#marked = at.marked;
    this.#held = all.subarray(at.start);
    const passed = all.subarray(0, at.start);
    const last = passed.at(-1);
    // What is held begins at the start of a line.
    if (last !== undefined) this.#atLineStart = this.#held.length > 0 || isLineEnd(last);
    return passed;
  }

  /** What was held, at the end. */
  rest(): Uint8Array | undefined {
    const held = this.#held;
    this.#held = empty;
    return held.length > 0 ? held : undefined;
  }
}

/** Where the mark begins, or the last line when it may become the mark; the end of `bytes` otherwise. */
function findMark(bytes: Uint8Array, atLineStart: boolean): { start: number; marked: boolean } {
  let start = atLineStart ? 0 : nextLine(bytes, 0);
  while (start < bytes.length) {
    const match = matchMark(bytes, start);
    if (match !== 'none') return { start, marked: match === 'whole' };
    start = nextLine(bytes, start);
  }
  return { start: bytes.length, marked: false };
}

function nextLine(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at += 1) if (isLineEnd(bytes[at])) return at + 1;
  return bytes.length;
}

function matchMark(bytes: Uint8Array, start: number): 'whole' | 'begun' | 'none' {
  let at = start;
  for (const byte of field) {
    if (at === bytes.length) return 'begun';
    if (bytes[at] !== byte) return 'none';
    at += 1;
  }
  // One space after the colon is not part of the value (HTML, section 9.2.6).
  if (bytes[at] === space) at += 1;
  for (const byte of mark) {
    if (at === bytes.length) return 'begun';
    if (bytes[at] !== byte) return 'none';
    at += 1;
  }
  return 'whole';
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === lineFeed || byte === carriageReturn;
}
