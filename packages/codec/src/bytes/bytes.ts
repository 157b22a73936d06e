/** Joins byte strings into a new one. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * Whether two byte strings are equal. For equal lengths the running time does not depend on the content;
 * a difference in length shows at once, so do not compare secrets whose length is itself secret.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index += 1) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}

/** Orders byte strings bytewise; a prefix comes before what it begins. Not constant-time. */
export function compareBytes(a: Uint8Array, b: Uint8Array): -1 | 0 | 1 {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index += 1) {
    const left = a[index] ?? 0;
    const right = b[index] ?? 0;
    if (left !== right) return left < right ? -1 : 1;
  }
  if (a.length === b.length) return 0;
  return a.length < b.length ? -1 : 1;
}

/**
 * The same bytes in memory that WebCrypto accepts: a view that is not over shared memory. Returns `bytes`
 * itself unless a copy is needed; another thread could change shared memory between a check and a use.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return overArrayBuffer(bytes) ? bytes : new Uint8Array(bytes);
}

/**
 * The same memory as a plain Uint8Array. Node's Buffer is one by type, but its `slice` shares memory and its views are
 * Buffers again; readers hand out views, so they start from a plain one.
 */
export function plainView(bytes: Uint8Array): Uint8Array {
  const plain = Object.getPrototypeOf(bytes) === Uint8Array.prototype;
  return plain ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function overArrayBuffer(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer;
}
