import { readFile, stat } from 'node:fs/promises';
import {
  CMW_MAX_COLLECTION,
  cmwCollectionFromCbor,
  cmwCollectionFromJson,
  cmwFromCbor,
  cmwFromJson,
  evidenceFormats,
  formatOf,
  isCmwCollection,
  type Cmw,
  type CmwCollection,
  type Tee,
} from '@fastness/attest';
import { fromBase64, fromBase64Url, fromHex, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { rawFormats } from './raw-evidence.ts';

/** Evidence from a file, and what came with it. */
export interface LoadedEvidence {
  readonly evidence: Cmw | CmwCollection;
  readonly endorsements: readonly Cmw[];
}

/** Base64 in JSON is a third longer, and hex twice as long. */
const maxBytes = 2 * CMW_MAX_COLLECTION;

export async function readLimited(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw new FastnessError('CLI_FILE_TOO_LARGE', `${path}: ${size} bytes; at most ${maxBytes}.`);
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    if (cause instanceof FastnessError) throw cause;
    throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
  }
}

/** Names that --format takes. */
export const formatNames: readonly string[] = Object.freeze([
  'auto',
  ...rawFormats.flatMap(({ tee, names }) => [...names, tee]),
  ...evidenceFormats.map(({ tee }) => tee).filter((tee) => rawFormats.every((each) => each.tee !== tee)),
]);

/**
 * Reads evidence: a CMW record or collection (JSON or CBOR), or a file as the vendor's tools write it, also as text in hex or
 * base64. `format`: auto, or the one kind that the file must be of. What kind it is decides only how it is read, never
 * whether it is accepted. Throws CLI_NOT_RECOGNISED, CLI_USAGE, CMW_..., ATTEST_EVIDENCE_UNSUPPORTED, CODEC_....
 */
export async function loadEvidence(path: string, format: string): Promise<LoadedEvidence> {
  const wanted = teesOf(format);
  const bytes = await readLimited(path);
  const loaded = evidenceIn(bytes, wanted);
  if (loaded === undefined) {
    const kinds = rawFormats.filter(({ tee }) => wanted.includes(tee)).map(({ what }) => what);
    throw new FastnessError('CLI_NOT_RECOGNISED', `${path} is no CMW, nor ${kinds.join(', nor ')}.`);
  }
  const { evidence } = loaded;
  if (!isCmwCollection(evidence) && format !== 'auto' && !wanted.includes(formatOf(evidence).tee))
    throw new FastnessError('CLI_NOT_RECOGNISED', `${path} holds evidence of type ${evidence.type}, not ${format}.`);
  return loaded;
}

/** The evidence that these bytes hold, whatever they are called. Undefined: none that is known. */
export function evidenceIn(bytes: Uint8Array, wanted: readonly Tee[] = teesOf('auto')): LoadedEvidence | undefined {
  return recognise(bytes, wanted) ?? recogniseText(bytes, wanted);
}

function teesOf(format: string): readonly Tee[] {
  if (format === 'auto') return evidenceFormats.map(({ tee }) => tee);
  const short = rawFormats.find(({ names }) => names.includes(format))?.tee;
  const tees = evidenceFormats.map(({ tee }) => tee).filter((tee) => tee === (short ?? format));
  if (tees.length === 0) throw new FastnessError('CLI_USAGE', `--format is one of ${formatNames.join(', ')}.`);
  return tees;
}

function recognise(bytes: Uint8Array, wanted: readonly Tee[]): LoadedEvidence | undefined {
  const cmw = cmwOf(bytes);
  if (cmw !== undefined) return { evidence: cmw, endorsements: [] };
  for (const { tee, recognise: read } of rawFormats) {
    const found = wanted.includes(tee) ? read(bytes) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Records and collections, in both forms. Undefined: it does not begin like any of them. */
export function cmwOf(bytes: Uint8Array): Cmw | CmwCollection | undefined {
  const [first = 0, second = 0] = bytes;
  // JSON: "[" or "{" after white space.
  const text = first === 0x5b || first === 0x7b || first === 0x20 || first === 0x0a ? textOf(bytes)?.trim() : undefined;
  if (text !== undefined) {
    const value = jsonOf(text);
    // Other formats are lists as well; a record begins with its type.
    if (Array.isArray(value)) return typeof value[0] === 'string' ? cmwFromJson(value) : undefined;
    if (typeof value === 'object' && value !== null && '__cmwc_t' in value) return cmwCollectionFromJson(value);
    return undefined;
  }
  // CBOR: an array of two or three that begins with text, or a map that names its type of collection.
  if ((first === 0x82 || first === 0x83) && second >= 0x61 && second <= 0x78) return cmwFromCbor(bytes);
  if (first >= 0xa1 && first <= 0xb8 && Buffer.from(bytes).includes('h__cmwc_t')) return cmwCollectionFromCbor(bytes);
  return undefined;
}

function recogniseText(bytes: Uint8Array, wanted: readonly Tee[]): LoadedEvidence | undefined {
  const text = textOf(bytes)?.trim().replace(/^0x/, '').replaceAll(/\s+/g, '');
  if (text === undefined || text.length < 64) return undefined;
  for (const decode of [fromHex, fromBase64, fromBase64Url]) {
    const decoded = attempt(() => decode(decode === fromHex ? text.toLowerCase() : text));
    const found = decoded === undefined ? undefined : recognise(decoded, wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

function textOf(bytes: Uint8Array): string | undefined {
  return attempt(() => utf8Decode(bytes));
}

function jsonOf(text: string): unknown {
  return attempt((): unknown => JSON.parse(text));
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
