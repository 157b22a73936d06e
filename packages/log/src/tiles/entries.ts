import { ByteReader, concatBytes, u16be, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { tileWidth } from './path.ts';

/** Bytes of the longest entry: its length has two bytes. */
export const maxEntryLength = 0xffff;

/** An entry as a bundle holds it: two bytes of length, big-endian, then the entry. @throws LOG_ENTRY_LIMIT */
export function encodeEntry(entry: Uint8Array): Uint8Array<ArrayBuffer> {
  if (entry.length > maxEntryLength) throw new FastnessError('LOG_ENTRY_LIMIT', `${entry.length} bytes.`);
  return concatBytes(u16be(entry.length), entry);
}

/**
 * The entries of a bundle (c2sp.org/tlog-tiles, "Log entries"), which has to hold exactly `width` of them.
 * @throws LOG_TILE_MALFORMED
 */
export function decodeEntries(bundle: Uint8Array, width: number): Uint8Array[] {
  const reader = new ByteReader(bundle);
  const entries: Uint8Array[] = [];
  try {
    while (reader.remaining > 0 && entries.length <= tileWidth) entries.push(reader.take(reader.u16be()));
  } catch (cause) {
    throw new FastnessError('LOG_TILE_MALFORMED', 'An entry is cut off.', { cause });
  }
  if (entries.length !== width) throw new FastnessError('LOG_TILE_MALFORMED', `${entries.length} entries of ${width}.`);
  return entries;
}

/** An entry that was logged as JSON, which nobody has compared with anything yet. @throws LOG_ENTRY_UNEXPECTED */
export function parseJsonEntry(entry: Uint8Array, index: number): unknown {
  try {
    return JSON.parse(utf8Decode(entry));
  } catch (cause) {
    throw new FastnessError('LOG_ENTRY_UNEXPECTED', `Entry ${index}: not JSON.`, { cause });
  }
}
