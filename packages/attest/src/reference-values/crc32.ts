/** CRC-32 (ISO 3309, RFC 1952 section 8), reflected polynomial. */
const polynomial = 0xedb8_8320;

const table = Uint32Array.from({ length: 256 }, (_, start) => {
  let value = start;
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ ((value & 1) === 0 ? 0 : polynomial);
  return value;
});

/** The CRC-32 of parts as if they were one, 0 to 2^32-1. It finds accidents, not attacks. */
export function crc32(...parts: readonly Uint8Array[]): number {
  let value = 0xffff_ffff;
  for (const part of parts) {
    for (const byte of part) value = (value >>> 8) ^ (table[(value ^ byte) & 0xff] ?? 0);
  }
  return (value ^ 0xffff_ffff) >>> 0;
}
