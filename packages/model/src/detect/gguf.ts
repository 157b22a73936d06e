import { utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { FileWindow } from './file-window.ts';
import { readMetadata, type GgufMetadata } from './gguf-metadata.ts';
import { ggufTensorTypes } from './gguf-types.ts';

/** What a GGUF header says (github.com/ggml-org/ggml, docs/gguf.md), checked against the size of the file. */
export interface GgufHeader {
  readonly version: number;
  readonly architecture: string;
  /** `<architecture>.pooling_type`: 0 none, 1 mean, 2 first token, 3 last token, 4 rank. */
  readonly poolingType: number | undefined;
  readonly hasTokenizer: boolean;
  readonly tensors: number;
  /** Which part of a split model this is, from 0, and of how many. */
  readonly split: { readonly part: number; readonly parts: number } | undefined;
}

const maxHeaderLength = 256 * 1024 * 1024;
const maxTensors = 65_536;
const maxTensorName = 64;

/**
 * Reads a GGUF header. The subset: version 2 and 3, little-endian, no array in an array, tensors of known types that
 * follow one another in the order listed, as the engine requires. Tensor data are not read.
 * Errors: MODEL_FORMAT_UNKNOWN (no GGUF), MODEL_GGUF_VERSION, MODEL_GGUF_MALFORMED, MODEL_GGUF_TRUNCATED,
 * MODEL_GGUF_TENSOR_TYPE, MODEL_GGUF_ARCHITECTURE, SEAL_IO.
 */
export function readGgufHeader(fd: number, size: number): GgufHeader {
  const options = {
    truncated: 'MODEL_GGUF_TRUNCATED',
    tooLong: 'MODEL_GGUF_MALFORMED',
    limit: maxHeaderLength,
  } as const;
  const file = new FileWindow(fd, size, options);
  if (size < 4 || utf8OrEmpty(file.take(4)) !== 'GGUF')
    throw new FastnessError('MODEL_FORMAT_UNKNOWN', 'No GGUF file.');
  const version = file.u32();
  if (version !== 2 && version !== 3) throw new FastnessError('MODEL_GGUF_VERSION', `Version ${version}.`);
  const tensors = count(file.u64(), maxTensors, 'tensors');
  const metadata = readMetadata(file);
  if (metadata.architecture === undefined) throw new FastnessError('MODEL_GGUF_ARCHITECTURE', 'No architecture.');
  // A part of a split model may hold metadata only; a whole model without tensors is a vocabulary.
  if (tensors === 0 && metadata.split === undefined) throw new FastnessError('MODEL_GGUF_ARCHITECTURE', 'No tensor.');
  checkTensors(file, tensors, metadata);
  const { architecture, poolingType, hasTokenizer, split } = metadata;
  return { version, architecture, poolingType, hasTokenizer, tensors, split };
}

/** Every tensor lies where the one before it ends, and all lie within the file. */
function checkTensors(file: FileWindow, tensors: number, { alignment }: GgufMetadata): void {
  const names = new Set<string>();
  const padded = (length: number): number => Math.ceil(length / alignment) * alignment;
  let end = 0;
  let paddedEnd = 0;
  for (let index = 0; index < tensors; index += 1) {
    const name = tensorName(file);
    if (names.has(name)) throw new FastnessError('MODEL_GGUF_MALFORMED', `Tensor ${index} has the name of another.`);
    names.add(name);
    const length = tensorLength(file, index);
    if (file.u64() !== BigInt(paddedEnd)) {
      throw new FastnessError('MODEL_GGUF_MALFORMED', `Tensor ${index} is not where the one before it ends.`);
    }
    end = paddedEnd + length;
    paddedEnd = padded(end);
    if (!Number.isSafeInteger(paddedEnd))
      throw new FastnessError('MODEL_GGUF_MALFORMED', `Tensor ${index} is too large.`);
  }
  const needed = padded(file.offset) + end;
  if (needed > file.size) {
    throw new FastnessError('MODEL_GGUF_TRUNCATED', `It has ${file.size} bytes of at least ${needed}.`);
  }
}

function tensorName(file: FileWindow): string {
  const length = file.u64();
  if (length === 0n || length >= BigInt(maxTensorName)) {
    throw new FastnessError('MODEL_GGUF_MALFORMED', `A tensor name of ${length} bytes.`);
  }
  try {
    return utf8Decode(file.take(Number(length)));
  } catch (error) {
    if (error instanceof FastnessError && error.code !== 'CODEC_MALFORMED') throw error;
    throw new FastnessError('MODEL_GGUF_MALFORMED', 'A tensor name is not UTF-8.');
  }
}

/** Bytes of a tensor, from its dimensions and type. */
function tensorLength(file: FileWindow, index: number): number {
  const dimensions = file.u32();
  if (dimensions > 4) throw new FastnessError('MODEL_GGUF_MALFORMED', `Tensor ${index} has ${dimensions} dimensions.`);
  const shape = Array.from({ length: dimensions }, () => file.u64());
  const type = file.u32();
  const block = ggufTensorTypes[type];
  if (block === undefined) throw new FastnessError('MODEL_GGUF_TENSOR_TYPE', `Tensor ${index}: type ${type}.`);
  const row = shape[0] ?? 1n;
  if (row % BigInt(block.elements) !== 0n) {
    throw new FastnessError('MODEL_GGUF_MALFORMED', `Tensor ${index}: a row is no multiple of the type’s block.`);
  }
  const elements = shape.reduce((product, length) => product * length, 1n);
  const length = (elements / BigInt(block.elements)) * BigInt(block.bytes);
  if (length === 0n || length > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FastnessError('MODEL_GGUF_MALFORMED', `Tensor ${index} has no size, or none that a file can have.`);
  }
  return Number(length);
}

function count(value: bigint, limit: number, what: string): number {
  if (value > BigInt(limit)) throw new FastnessError('MODEL_GGUF_MALFORMED', `More than ${limit} ${what}.`);
  return Number(value);
}

function utf8OrEmpty(bytes: Uint8Array): string {
  return String.fromCodePoint(...bytes);
}
