const encoder = new TextEncoder();
const colon = 0x3a;
const space = 0x20;
const lineFeed = 0x0a;
/** Below so many bytes for text an event costs more than it carries; the text then waits for the next frame. */
const worthwhile = 64;

type Entry = { readonly kind: 'event'; readonly event: string } | { readonly kind: 'text'; text: string };

/**
 * Packs server-sent events into frames of one size. Text that gathered goes into one event of a frame; events that are
 * longer than what is left go on in the next frame; what nothing fills is a comment line, which readers skip.
 */
export class FramePacker {
  readonly #frameBytes: number;
  /** An event that carries `text`; its length is what the text is cut by. */
  readonly #textEvent: (text: string) => string;
  readonly #entries: Entry[] = [];
  #carry = new Uint8Array(0);
  #queued = 0;

  constructor(frameBytes: number, textEvent: (text: string) => string) {
    this.#frameBytes = frameBytes;
    this.#textEvent = textEvent;
  }

  /** Characters that wait, without those of an event that was begun. */
  get queued(): number {
    return this.#queued;
  }

  get empty(): boolean {
    return this.#entries.length === 0 && this.#carry.length === 0;
  }

  /** Adds text; next to text that waits it shares its event. */
  text(text: string): void {
    if (text === '') return;
    this.#queued += text.length;
    const last = this.#entries.at(-1);
    if (last?.kind === 'text') last.text += text;
    else this.#entries.push({ kind: 'text', text });
  }

  /** Adds one or more whole events. */
  event(event: string): void {
    if (event === '') return;
    this.#queued += event.length;
    this.#entries.push({ kind: 'event', event });
  }

  /** The next frame, whatever there is. */
  frame(): Uint8Array<ArrayBuffer> {
    const frame = new Uint8Array(this.#frameBytes);
    let used = 0;
    const put = (bytes: Uint8Array<ArrayBuffer>): void => {
      const part = bytes.subarray(0, frame.length - used);
      frame.set(part, used);
      used += part.length;
      this.#carry = bytes.subarray(part.length);
    };
    put(this.#carry);
    while (used < frame.length) {
      const [entry] = this.#entries;
      if (entry === undefined) break;
      const event = entry.kind === 'event' ? entry.event : this.#cut(entry, frame.length - used);
      if (event === undefined) break;
      if (entry.kind === 'event' || entry.text === '') this.#entries.shift();
      if (entry.kind === 'event') this.#queued -= event.length;
      put(encoder.encode(event));
    }
    if (used < frame.length) {
      frame.fill(space, used);
      // One byte is no comment, but an empty line after an event means nothing either.
      if (frame.length - used > 1) frame[used] = colon;
      frame[frame.length - 1] = lineFeed;
    }
    return frame;
  }

  /** Takes as much text as fits into `room`, as an event; undefined when that is not worth an event. */
  #cut(entry: { text: string }, room: number): string | undefined {
    const fits = (text: string): boolean => Buffer.byteLength(this.#textEvent(text)) <= room;
    const { text } = entry;
    let length = text.length;
    if (!fits(text)) {
      const spare = room - Buffer.byteLength(this.#textEvent(''));
      if (spare < worthwhile && room < this.#frameBytes) return undefined;
      // Every character takes a byte at least.
      let most = Math.min(text.length, Math.max(spare, 1));
      length = 0;
      while (length < most) {
        const middle = Math.ceil((length + most) / 2);
        if (fits(text.slice(0, middle))) length = middle;
        else most = middle - 1;
      }
      // A frame that is too small for any event carries a long one on in the next.
      length = Math.max(length, 1);
      if (isHighSurrogate(text.charCodeAt(length - 1))) length = length > 1 ? length - 1 : Math.min(2, text.length);
    }
    entry.text = text.slice(length);
    this.#queued -= length;
    return this.#textEvent(text.slice(0, length));
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
