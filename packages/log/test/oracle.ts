import { createHash } from 'node:crypto';

// RFC 6962 section 2.1 word for word, over whole lists of entries and without anything of the package.
const sha = (...parts: Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};

function split(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

export function naiveRoot(entries: readonly Uint8Array[]): Uint8Array {
  const [only] = entries;
  if (only === undefined) return sha();
  if (entries.length === 1) return sha(Uint8Array.of(0), only);
  const k = split(entries.length);
  return sha(Uint8Array.of(1), naiveRoot(entries.slice(0, k)), naiveRoot(entries.slice(k)));
}

export function naivePath(index: number, entries: readonly Uint8Array[]): Uint8Array[] {
  if (entries.length === 1) return [];
  const k = split(entries.length);
  return index < k
    ? [...naivePath(index, entries.slice(0, k)), naiveRoot(entries.slice(k))]
    : [...naivePath(index - k, entries.slice(k)), naiveRoot(entries.slice(0, k))];
}

export function naiveConsistency(size: number, entries: readonly Uint8Array[], whole = true): Uint8Array[] {
  if (size === entries.length) return whole ? [] : [naiveRoot(entries)];
  const k = split(entries.length);
  return size <= k
    ? [...naiveConsistency(size, entries.slice(0, k), whole), naiveRoot(entries.slice(k))]
    : [...naiveConsistency(size - k, entries.slice(k), false), naiveRoot(entries.slice(0, k))];
}

export const entriesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => new TextEncoder().encode(`entry ${index}`));
