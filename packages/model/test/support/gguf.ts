import { concatBytes, utf8Encode } from '@fastness/codec/bytes';

export type GgufValue = readonly [type: number, bytes: Uint8Array];

function le(value: number | bigint, length: 2 | 4 | 8): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes.slice(0, length);
}

export const u16 = (value: number): GgufValue => [2, le(value, 2)];
export const u32 = (value: number): GgufValue => [4, le(value, 4)];
export const text = (value: string): GgufValue => [8, string(value)];
export const array = (
  type: number,
  items: readonly Uint8Array[],
  length: number | bigint = items.length,
): GgufValue => [
  9,
  // Not concatBytes: there are more items than arguments in a call.
  new Uint8Array(Buffer.concat([le(type, 4), le(length, 8), ...items])),
];
export const string = (value: string | Uint8Array): Uint8Array => {
  const bytes = typeof value === 'string' ? utf8Encode(value) : value;
  return concatBytes(le(bytes.length, 8), bytes);
};

export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly (number | bigint)[];
  readonly type: number;
  readonly offset: number | bigint;
}

export interface GgufParts {
  readonly magic: string;
  readonly version: number;
  readonly tensorCount: number | bigint;
  readonly metadataCount: number | bigint;
  readonly metadata: readonly (readonly [key: string | Uint8Array, value: GgufValue])[];
  readonly tensors: readonly GgufTensor[];
  /** Bytes after the header and its padding. */
  readonly dataLength: number;
  readonly alignment: number;
}

export const plainMetadata: GgufParts['metadata'] = [
  ['general.architecture', text('llama')],
  ['tokenizer.ggml.model', text('gpt2')],
  ['tokenizer.ggml.tokens', array(8, [string('a'), string('b')])],
];

/** Two tensors: 64 float32 and one block of Q4_0. */
export const plainTensors: readonly [GgufTensor, GgufTensor] = [
  { name: 'token_embd.weight', shape: [32, 2], type: 0, offset: 0 },
  { name: 'output.weight', shape: [32], type: 2, offset: 256 },
];

function tensorInfo({ name, shape, type, offset }: GgufTensor): Uint8Array {
  const lengths = shape.map((length) => le(length, 8));
  return concatBytes(string(name), le(shape.length, 4), ...lengths, le(type, 4), le(offset, 8));
}

/** Writes a GGUF file, right or wrong in any part. */
export function writeGguf(parts: Partial<GgufParts> = {}): Uint8Array {
  const { magic = 'GGUF', version = 3, metadata = plainMetadata, tensors = plainTensors } = parts;
  const { alignment = 32, dataLength = 256 + 18 } = parts;
  const header = concatBytes(
    utf8Encode(magic),
    le(version, 4),
    le(parts.tensorCount ?? tensors.length, 8),
    le(parts.metadataCount ?? metadata.length, 8),
    ...metadata.flatMap(([key, [type, value]]) => [string(key), le(type, 4), value]),
    ...tensors.map(tensorInfo),
  );
  const padding = (alignment - (header.length % alignment)) % alignment;
  return concatBytes(header, new Uint8Array(padding + dataLength));
}
