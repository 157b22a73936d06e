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

/** A frame where it lies: its fields as pairs of offset and length. */
export interface PlacedFrame {
  readonly request: number;
  readonly kind: number;
  readonly spans: readonly (readonly [offset: number, length: number])[];
}

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
      for (;;) {
        const end = frameEnd(view, offset, joined.length);
        if (end === undefined) break;
        frames.push(copyFrame(joined, placeFrame(view, offset, end)));
        offset = end;
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

/** Where the frame at `start` ends; undefined while less of it is there than up to `held`. Errors: KEYS_HSM_PROTOCOL. */
export function frameEnd(view: DataView, start: number, held: number): number | undefined {
  if (held - start < 4) return undefined;
  const length = view.getUint32(start);
  if (length < 6 || length > maxFrameBytes) throw new FastnessError('KEYS_HSM_PROTOCOL');
  return held - start - 4 < length ? undefined : start + 4 + length;
}

/** The frame from `start` to `end`, as `frameEnd` found it. Errors: KEYS_HSM_PROTOCOL. */
export function placeFrame(view: DataView, start: number, end: number): PlacedFrame {
  const request = view.getUint32(start + 4);
  const kind = view.getUint8(start + 8);
  const count = view.getUint8(start + 9);
  if (count > maxFields) throw new FastnessError('KEYS_HSM_PROTOCOL');
  const spans: (readonly [number, number])[] = [];
  let offset = start + 10;
  for (let index = 0; index < count; index += 1) {
    if (end - offset < 4) throw new FastnessError('KEYS_HSM_PROTOCOL');
    const length = view.getUint32(offset);
    offset += 4;
    if (length > end - offset) throw new FastnessError('KEYS_HSM_PROTOCOL');
    spans.push([offset, length]);
    offset += length;
  }
  if (offset !== end) throw new FastnessError('KEYS_HSM_PROTOCOL');
  return { request, kind, spans };
}

/** The same with copies of its fields, for the caller to wipe. */
export function copyFrame(bytes: Uint8Array, { request, kind, spans }: PlacedFrame): Frame {
  return { request, kind, fields: spans.map(([offset, length]) => bytes.slice(offset, offset + length)) };
}
