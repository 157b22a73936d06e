import { paddedLength } from '@fastness/channel';

/**
 * Answers are padded so that whoever watches the ciphertext learns a size class, not a length: JSON by spaces at its
 * end, streams by comment lines (which readers of server-sent events skip). Not covered: how many frames a stream has
 * while it runs, and when they are sent.
 */

const encoder = new TextEncoder();

/** Bytes of a frame of a stream; longer ones take a multiple. */
export const FRAME_BYTES = 512;

/** `text` as UTF-8, filled up to `length` bytes by a comment line when it is shorter. */
function frame(text: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const { written } = encoder.encodeInto(text, bytes);
  if (written === length) return bytes;
  bytes.fill(0x20, written);
  bytes[written] = 0x3a;
  bytes[length - 1] = 0x0a;
  if (length - written > 1) return bytes;
  throw new RangeError('a comment takes two bytes');
}

/** A frame of server-sent events; `text` ends with the empty line of its last event. */
export function paddedFrame(text: string): Uint8Array {
  const used = Buffer.byteLength(text);
  // A comment takes at least two bytes: colon and line feed.
  return frame(text, Math.ceil((used + 2) / FRAME_BYTES) * FRAME_BYTES);
}

/** The last frame: brings the whole stream, `before` bytes so far, to a size class. */
export function paddedEnd(text: string, before: number): Uint8Array {
  const used = Buffer.byteLength(text);
  return frame(text, paddedLength(before + used + 2) - before);
}

export function jsonResponse(value: unknown, status = 200): Response {
  const text = JSON.stringify(value);
  const used = Buffer.byteLength(text);
  const bytes = new Uint8Array(paddedLength(used)).fill(0x20);
  encoder.encodeInto(text, bytes);
  return new Response(bytes, { status, headers: { 'content-type': 'application/json' } });
}
