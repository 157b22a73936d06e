import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { decodePem, fromBase64, fromBase64Url } from '@fastness/codec';

/** Recorded evidence lives outside the project; tests that need it are skipped where it is absent. */
export const vectorsRoot =
  process.env['FASTNESS_VECTORS'] ?? fileURLToPath(new URL('../../../../../shared/vectors', import.meta.url));
export const evidenceRoot = join(vectorsRoot, 'evidence');
export const vectorsPresent = existsSync(join(evidenceRoot, 'INDEX.tsv'));

export function readVector(path: string): Uint8Array {
  return new Uint8Array(readFileSync(join(evidenceRoot, path)));
}

export function readVectorText(path: string): string {
  return readFileSync(join(evidenceRoot, path), 'utf8');
}

/** Rows of a table with a header line. */
export function readTable(path: string): Record<string, string>[] {
  const [header = '', ...lines] = readVectorText(path).trimEnd().split('\n');
  const names = header.split('\t');
  return lines.map((line) => Object.fromEntries(line.split('\t').map((cell, index) => [names[index] ?? '', cell])));
}

/** One certificate or a bundle, PEM or DER. */
export function readCertificates(path: string): Uint8Array[] {
  const bytes = readVector(path);
  return bytes[0] === 0x30 ? [bytes] : decodePem(readVectorText(path), 'CERTIFICATE');
}

/** A block of a PEM-like archive whose lines may be longer than PEM allows. */
export function readArmour(text: string, label: string): Uint8Array {
  const [, rest = ''] = text.split(`-----BEGIN ${label}-----`);
  const [body = ''] = rest.split(`-----END ${label}-----`);
  return fromBase64(body.replaceAll(/\s/g, ''));
}

/** Follows length-delimited protobuf fields by number: enough to take bytes out of an envelope, and no more. */
export function protobufBytes(message: Uint8Array, ...path: number[]): Uint8Array {
  const [field, ...rest] = path;
  if (field === undefined) return message;
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[offset] ?? 0;
      offset += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (offset < message.length) {
    const key = varint();
    if ((key & 7) === 0) varint();
    else if ((key & 7) === 2) {
      const length = varint();
      if (key >> 3 === field) return protobufBytes(message.subarray(offset, offset + length), ...rest);
      offset += length;
    } else throw new Error(`wire type ${key & 7}`);
  }
  throw new Error(`no field ${field}`);
}

/** A text member of JSON, by path. */
export function jsonText(json: unknown, ...path: string[]): string {
  let value: unknown = json;
  for (const name of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  if (typeof value !== 'string') throw new Error(`no text at ${path.join('.')}`);
  return value;
}

/** Base64 of either alphabet, with or without padding: recorded files have all of them. */
export function fromAnyBase64(text: string): Uint8Array {
  return fromBase64Url(text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''));
}
