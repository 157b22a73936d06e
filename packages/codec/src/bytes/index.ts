export { fromBase64, fromBase64Url, toBase64, toBase64Url } from './base64.ts';
export { compareBytes, concatBytes, equalBytes, plainBytes, plainView } from './bytes.ts';
export { fromHex, toHex } from './hex.ts';
export { u16be, u16le, u32be, u32le, u64be } from './integers.ts';
export { decodePem, encodePem, type PemOptions } from './pem.ts';
export { ByteReader } from './reader.ts';
export { utf8Decode, utf8Encode } from './utf8.ts';
export { crc32c } from './crc32c.ts';
export { nestsDeeper } from './json-depth.ts';
