const smallest = 512;
const doublingUpTo = 65_536;

/**
 * Size in bytes that a binary HTTP message of `length` bytes is padded to with zeros (RFC 9292 section 3.8): the next
 * power of two from 512 to 65,536, above that the next multiple of an eighth of the power of two below (at most 12.5%
 * more). Whoever watches the ciphertext learns the bucket: about a bit for each doubling, not the length of a prompt.
 *
 * Not covered: the number and times of requests, and the sizes of responses.
 */
export function paddedLength(length: number): number {
  if (length <= smallest) return smallest;
  const power = 2 ** Math.ceil(Math.log2(length));
  if (power <= doublingUpTo) return power;
  const step = power / 16;
  return Math.ceil(length / step) * step;
}

/** The zeros that bring a message of `length` bytes to its bucket, or to the bucket of `least` bytes. */
export function paddingFor(length: number, least = 0): Uint8Array {
  return new Uint8Array(paddedLength(Math.max(length, least)) - length);
}
