import { paddedLength } from '@fastness/channel';

const encoder = new TextEncoder();

/** JSON with spaces behind it, so that whoever watches the ciphertext learns a size class and not a length. */
export function jsonResponse(value: unknown, status = 200): Response {
  const text = JSON.stringify(value);
  const used = Buffer.byteLength(text);
  const bytes = new Uint8Array(paddedLength(used)).fill(0x20);
  encoder.encodeInto(text, bytes);
  return new Response(bytes, { status, headers: { 'content-type': 'application/json' } });
}
