/** How a tensor type packs its elements: `elements` of them in `bytes`. */
export interface BlockSize {
  readonly elements: number;
  readonly bytes: number;
}

const block = (elements: number, bytes: number): BlockSize => ({ elements, bytes });

/** ggml tensor types by number (ggml.h, `enum ggml_type`; ggml-common.h for the sizes). Numbers left out were withdrawn. */
export const ggufTensorTypes: Readonly<Record<number, BlockSize>> = Object.freeze({
  0: block(1, 4), // F32
  1: block(1, 2), // F16
  2: block(32, 18), // Q4_0
  3: block(32, 20), // Q4_1
  6: block(32, 22), // Q5_0
  7: block(32, 24), // Q5_1
  8: block(32, 34), // Q8_0
  9: block(32, 36), // Q8_1
  10: block(256, 84), // Q2_K
  11: block(256, 110), // Q3_K
  12: block(256, 144), // Q4_K
  13: block(256, 176), // Q5_K
  14: block(256, 210), // Q6_K
  15: block(256, 292), // Q8_K
  16: block(256, 66), // IQ2_XXS
  17: block(256, 74), // IQ2_XS
  18: block(256, 98), // IQ3_XXS
  19: block(256, 50), // IQ1_S
  20: block(32, 18), // IQ4_NL
  21: block(256, 110), // IQ3_S
  22: block(256, 82), // IQ2_S
  23: block(256, 136), // IQ4_XS
  24: block(1, 1), // I8
  25: block(1, 2), // I16
  26: block(1, 4), // I32
  27: block(1, 8), // I64
  28: block(1, 8), // F64
  29: block(256, 56), // IQ1_M
  30: block(1, 2), // BF16
  34: block(256, 54), // TQ1_0
  35: block(256, 66), // TQ2_0
  39: block(32, 17), // MXFP4
  40: block(64, 36), // NVFP4
  41: block(128, 18), // Q1_0
  42: block(64, 18), // Q2_0
});

/** Metadata value types by number: bytes of one value; strings and arrays say their own length. */
export const ggufValueSizes: Readonly<Record<number, number>> = Object.freeze({
  0: 1, // uint8
  1: 1, // int8
  2: 2, // uint16
  3: 2, // int16
  4: 4, // uint32
  5: 4, // int32
  6: 4, // float32
  7: 1, // bool
  10: 8, // uint64
  11: 8, // int64
  12: 8, // float64
});
export const ggufString = 8;
export const ggufArray = 9;
export const ggufUint16 = 2;
export const ggufUint32 = 4;
