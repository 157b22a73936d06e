import { concatBytes, utf8Encode } from '@fastness/codec/bytes';
import {
  encodeEntry,
  parseTilePath,
  signCheckpoint,
  tileWidth,
  widthIn,
  type LogSource,
  type TreeHead,
} from '../src/index.ts';
import { nodeHasher } from '../node/index.ts';
import type { TestKey } from './keys.ts';
import { naiveRoot } from './oracle.ts';

/** A whole log served out of a list of entries, made by definition and not by the package. */
export function memoryLog(entries: readonly Uint8Array[], change?: (path: string, bytes: Uint8Array) => Uint8Array) {
  const head: TreeHead = { size: entries.length, root: naiveRoot(entries) };
  const resource = (path: string): Uint8Array | undefined => {
    const name = parseTilePath(path);
    if (name === undefined || widthIn(entries.length, name.level, name.index) < name.width) return undefined;
    const { level, index, width } = name;
    const places = Array.from({ length: width }, (_, at) => index * tileWidth + at);
    if (level === 'entries') return concatBytes(...places.map((at) => encodeEntry(entries[at] ?? new Uint8Array(0))));
    const across = tileWidth ** level;
    return concatBytes(...places.map((at) => naiveRoot(entries.slice(at * across, (at + 1) * across))));
  };
  const source: LogSource = {
    hasher: nodeHasher,
    read: async (path) => {
      const bytes = resource(path);
      return bytes === undefined || change === undefined ? bytes : change(path, bytes);
    },
  };
  return { head, source };
}

export async function signedBy(log: TestKey, head: TreeHead): Promise<string> {
  return await signCheckpoint({ checkpoint: { origin: log.key.name, ...head }, key: log.key, sign: log.sign });
}

export function withCheckpoint(source: LogSource, note: string): LogSource {
  return { ...source, read: async (path) => (path === 'checkpoint' ? utf8Encode(note) : source.read(path)) };
}
