import { concatBytes, plainView } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

/*
 * One frame between the store and its child process:
 *   u32be length of the rest | u32be request number | u8 kind | u8 count of fields | count * (u32be length | bytes)
 * `kind` of a request is its operation, of an answer its outcome. Both ends check every length before they use it.
 */

export interface Frame {
  readonly request: number;
  readonly kind: number;
  readonly fields: readonly Uint8Array[];
}

/** A message to sign of 4 MiB and what goes with it. */
export const maxFrameBytes = 4 * 2 ** 20 + 16_384;
const maxFields = 8;

/** Gives a frame that was made before another number, in place. */
export function renumberFrame(bytes: Uint8Array, request: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(4, request);
}

/** The fields are copied: the caller wipes its own, and the frame once it is written. */
export function encodeFrame({ request, kind, fields }: Frame): Uint8Array {
  let size = 10;
  for (const field of fields) size += 4 + field.length;
  if (size - 4 > maxFrameBytes || fields.length > maxFields) throw new FastnessError('KEYS_HSM_PROTOCOL');
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size - 4);
  view.setUint32(4, request);
  bytes[8] = kind;
  bytes[9] = fields.length;
  let offset = 10;
  for (const field of fields) {
    view.setUint32(offset, field.length);
    bytes.set(field, offset + 4);
    offset += 4 + field.length;
  }
  return bytes;
}

/** Collects what a stream gives into frames, and wipes what went through it. */
export class FrameReader {
  #held: Uint8Array = new Uint8Array(0);

  /** The frames that `chunk` completes. The chunk is wiped. Errors: KEYS_HSM_PROTOCOL. */
  push(chunk: Uint8Array): Frame[] {
    // A plain one: a part that is cut out of a Buffer is a Buffer.
    const joined = plainView(this.#join(chunk));
    const frames: Frame[] = [];
    let offset = 0;
    try {
      const view = new DataView(joined.buffer, joined.byteOffset, joined.length);
      while (joined.length - offset >= 4) {
        const length = view.getUint32(offset);
        if (length < 6 || length > maxFrameBytes) throw new FastnessError('KEYS_HSM_PROTOCOL');
        if (joined.length - offset - 4 < length) break;
        frames.push(decodeFrame(view, joined, offset + 4, offset + 4 + length));
        offset += 4 + length;
      }
      this.#held = joined.slice(offset);
    } finally {
      joined.fill(0);
    }
    return frames;
  }

  /** What was held and the chunk behind it: the chunk itself, where nothing was held. */
  #join(chunk: Uint8Array): Uint8Array {
    if (this.#held.length === 0) return chunk;
    const joined = concatBytes(this.#held, chunk);
    this.#held.fill(0);
    chunk.fill(0);
    return joined;
  }

  /** Whether the stream stopped inside a frame. */
  get partial(): boolean {
    return this.#held.length > 0;
  }
}

/** The frame from `start` to `end`; its fields are copies. */
function decodeFrame(view: DataView, bytes: Uint8Array, start: number, end: number): Frame {
  const request = view.getUint32(start);
  const kind = view.getUint8(start + 4);
  const count = view.getUint8(start + 5);
  if (count > maxFields) throw new FastnessError('KEYS_HSM_PROTOCOL');
  const fields: Uint8Array[] = [];
  let offset = start + 6;
  for (let index = 0; index < count; index += 1) {
    if (end - offset < 4) throw new FastnessError('KEYS_HSM_PROTOCOL');
    const length = view.getUint32(offset);
    offset += 4;
    if (length > end - offset) throw new FastnessError('KEYS_HSM_PROTOCOL');
    fields.push(bytes.slice(offset, offset + length));
    offset += length;
  }
  if (offset !== end) throw new FastnessError('KEYS_HSM_PROTOCOL');
  return { request, kind, fields };
}
