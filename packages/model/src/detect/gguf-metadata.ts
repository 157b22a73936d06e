import { utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { FileWindow } from './file-window.ts';
import { ggufArray, ggufString, ggufUint16, ggufUint32, ggufValueSizes } from './gguf-types.ts';

/** The few metadata that say how to serve a model. */
export interface GgufMetadata {
  readonly architecture: string | undefined;
  readonly poolingType: number | undefined;
  readonly hasTokenizer: boolean;
  /** Bytes; a power of two. */
  readonly alignment: number;
  readonly split: { readonly part: number; readonly parts: number } | undefined;
}

const maxEntries = 65_536;
const maxKeyLength = 65_535;
/** Chat templates are the longest strings there are. */
const maxStringLength = 1024 * 1024;
const maxElements = 16 * 1024 * 1024;
const maxAlignment = 1024 * 1024;
const maxParts = 99_999;

/** A value that is kept: text, a number of 16 or 32 bits, or only that it is there. */
interface Entry {
  readonly type: number;
  readonly text?: string;
  readonly number?: number;
}

/**
 * Reads the metadata of a GGUF file, and keeps what is asked for below.
 * Errors: MODEL_GGUF_MALFORMED, MODEL_GGUF_TRUNCATED, MODEL_GGUF_ARCHITECTURE.
 */
export function readMetadata(file: FileWindow): GgufMetadata {
  const entries = readEntries(file);
  const architecture = textOf(entries, 'general.architecture');
  if (architecture !== undefined && !/^[a-z0-9][a-z0-9._-]{0,63}$/.test(architecture)) {
    throw new FastnessError('MODEL_GGUF_ARCHITECTURE', 'The name of the architecture is no such name.');
  }
  const alignment = numberOf(entries, 'general.alignment', ggufUint32) ?? 32;
  if (alignment < 1 || alignment > maxAlignment || (alignment & (alignment - 1)) !== 0) {
    throw new FastnessError('MODEL_GGUF_MALFORMED', `An alignment of ${alignment} bytes.`);
  }
  const parts = numberOf(entries, 'split.count', ggufUint16) ?? 0;
  const part = numberOf(entries, 'split.no', ggufUint16) ?? 0;
  if (parts > maxParts || (parts > 0 && part >= parts)) throw new FastnessError('MODEL_GGUF_SPLIT');
  return {
    architecture,
    poolingType: numberOf(entries, `${architecture ?? ''}.pooling_type`, ggufUint32),
    hasTokenizer:
      textOf(entries, 'tokenizer.ggml.model') !== undefined && entries.get('tokenizer.ggml.tokens')?.type === ggufArray,
    alignment,
    split: parts > 1 ? { part, parts } : undefined,
  };
}

function readEntries(file: FileWindow): Map<string, Entry> {
  const count = file.u64();
  if (count > BigInt(maxEntries)) throw new FastnessError('MODEL_GGUF_MALFORMED', `${count} metadata entries.`);
  const entries = new Map<string, Entry>();
  for (let index = 0; index < Number(count); index += 1) {
    const key = readText(file, maxKeyLength);
    if (key === '' || entries.has(key)) {
      throw new FastnessError('MODEL_GGUF_MALFORMED', `Metadata entry ${index} has no key of its own.`);
    }
    entries.set(key, readEntry(file, file.u32()));
  }
  return entries;
}

function readEntry(file: FileWindow, type: number): Entry {
  if (type === ggufString) return { type, text: readText(file, maxStringLength) };
  if (type === ggufArray) {
    skipArray(file);
    return { type };
  }
  const size = sizeOf(type);
  const bytes = file.take(size);
  if (type === ggufUint32) return { type, number: new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) };
  if (type === ggufUint16) return { type, number: new DataView(bytes.buffer, bytes.byteOffset).getUint16(0, true) };
  return { type };
}

function skipArray(file: FileWindow): void {
  const type = file.u32();
  const length = file.u64();
  if (length > BigInt(maxElements)) throw new FastnessError('MODEL_GGUF_MALFORMED', `An array of ${length} elements.`);
  if (type !== ggufString) return file.skip(sizeOf(type) * Number(length));
  for (let index = 0; index < Number(length); index += 1) file.skip(textLength(file, maxStringLength));
}

function sizeOf(type: number): number {
  const size = ggufValueSizes[type];
  if (size === undefined) throw new FastnessError('MODEL_GGUF_MALFORMED', `A metadata value of type ${type}.`);
  return size;
}

function textLength(file: FileWindow, limit: number): number {
  const length = file.u64();
  if (length > BigInt(limit)) throw new FastnessError('MODEL_GGUF_MALFORMED', `A string of ${length} bytes.`);
  return Number(length);
}

function readText(file: FileWindow, limit: number): string {
  const bytes = file.take(textLength(file, limit));
  try {
    return utf8Decode(bytes);
  } catch {
    throw new FastnessError('MODEL_GGUF_MALFORMED', 'A string is not UTF-8.');
  }
}

function textOf(entries: ReadonlyMap<string, Entry>, key: string): string | undefined {
  return entries.get(key)?.text;
}

/** Absent, or a number of exactly the type that the format gives this key. */
function numberOf(entries: ReadonlyMap<string, Entry>, key: string, type: number): number | undefined {
  const entry = entries.get(key);
  if (entry === undefined) return undefined;
  if (entry.type !== type) throw new FastnessError('MODEL_GGUF_MALFORMED', `${key} is of type ${entry.type}.`);
  return entry.number;
}
