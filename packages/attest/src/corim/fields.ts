import { CborTag, type CborKey, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { corimTags, MAX_ENTRIES } from './layout.ts';

/** An error about a member of a manifest. `what` says which, never what an attacker wrote at length. */
export function corimError(code: ErrorCode, what: string): FastnessError {
  return new FastnessError(code, what);
}

/** A map whose keys are all among `known`; unknown members could change what the known ones mean. */
export function readMap(
  value: CborValue | undefined,
  known: readonly CborKey[],
  code: ErrorCode,
  what: string,
): CborMap {
  if (!(value instanceof Map)) throw corimError(code, `${what} is no map.`);
  const map = value as CborMap;
  for (const key of map.keys()) {
    if (!known.includes(key)) throw corimError(code, `${what} has an unknown member ${String(key).slice(0, 16)}.`);
  }
  return map;
}

/** A list of at least one entry. */
export function readList(
  value: CborValue | undefined,
  code: ErrorCode,
  what: string,
  most = MAX_ENTRIES,
): readonly CborValue[] {
  const list = isList(value) ? value : undefined;
  if (list === undefined || list.length === 0 || list.length > most) {
    throw corimError(code, `${what} must be a list of 1 to ${most} entries.`);
  }
  return list;
}

export function isList(value: CborValue | undefined): value is readonly CborValue[] {
  return Array.isArray(value);
}

export function readText(value: CborValue | undefined, code: ErrorCode, what: string): string {
  if (typeof value !== 'string' || value.length > 4096) throw corimError(code, `${what} must be text.`);
  return value;
}

export function readCount(value: CborValue | undefined, code: ErrorCode, what: string): number {
  if (typeof value !== 'number' || value < 0) throw corimError(code, `${what} must be an unsigned integer.`);
  return value;
}

export function readBytes(value: CborValue | undefined, code: ErrorCode, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw corimError(code, `${what} must be bytes.`);
  return value;
}

/** Epoch time with tag 1; fractions of a second are not read. */
export function readTime(value: CborValue | undefined, code: ErrorCode, what: string): number {
  const seconds = value instanceof CborTag && value.tag === corimTags.epochTime ? value.value : undefined;
  if (typeof seconds !== 'number') throw corimError(code, `${what} must be a time with tag 1, in whole seconds.`);
  return seconds;
}
