/** CRC-32C (RFC 3720 appendix B.4, Castagnoli), reflected polynomial. */
const polynomial = 0x82f6_3b78;

const table = Uint32Array.from({ length: 256 }, (_, start) => {
  let value = start;
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ ((value & 1) === 0 ? 0 : polynomial);
  return value;
});

/** The CRC-32C of `bytes`, 0 to 2^32-1. It finds accidents, not attacks. */
export function crc32c(bytes: Uint8Array): number {
  let value = 0xffff_ffff;
  for (const byte of bytes) value = (value >>> 8) ^ (table[(value ^ byte) & 0xff] ?? 0);
  return (value ^ 0xffff_ffff) >>> 0;
}
