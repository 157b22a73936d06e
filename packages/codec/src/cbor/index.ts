export { decodeCbor, type DecodeCborOptions } from './decode.ts';
export { encodeCbor } from './encode.ts';
export { CborTag, defaultCborLimits, type CborKey, type CborLimits, type CborMap, type CborValue } from './types.ts';
