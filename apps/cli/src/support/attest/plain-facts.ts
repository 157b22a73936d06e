import { toHex } from '@fastness/codec';
import type { Certificate } from '@fastness/codec/x509';
import { isObject } from './is-object.ts';

const maxDepth = 6;
const maxEntries = 32;
const maxBytes = 96;
const maxText = 400;
/** What is about reading, or repeats other members byte for byte. */
const leftOut: ReadonlySet<string> = new Set(['checks', 'collateral', 'signed', 'signature', 'text', 'payload', 'raw']);

/** The members of something that was read, as JSON for people: bytes and wide integers in hex, long things by their size. */
export function plainFacts(read: object): Record<string, unknown> {
  const facts = plain(read, 0);
  return isObject(facts) ? facts : {};
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (typeof value === 'string') return value.length > maxText ? `(${value.length} characters)` : value;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return value.length > maxBytes ? `(${value.length} bytes)` : toHex(value);
  if (value instanceof Date) return value.toISOString();
  if (isCertificate(value)) return certificateFacts(value);
  if (depth >= maxDepth) return '(more)';
  if (value instanceof Map) return plainEntries([...(value as ReadonlyMap<unknown, unknown>)], depth);
  if (value instanceof Set || Array.isArray(value)) {
    const list = [...(value as Iterable<unknown>)];
    return list.length > maxEntries ? `(${list.length} entries)` : list.map((entry) => plain(entry, depth + 1));
  }
  return plainEntries(Object.entries(value), depth);
}

function plainEntries(entries: readonly (readonly [unknown, unknown])[], depth: number): unknown {
  const shown = entries.filter(([name, member]) => member !== undefined && !leftOut.has(String(name)));
  if (shown.length > maxEntries) return `(${shown.length} entries)`;
  return Object.fromEntries(shown.map(([name, member]) => [String(name), plain(member, depth + 1)]));
}

function isCertificate(value: object): value is Certificate {
  return 'kind' in value && value.kind === 'certificate';
}

function certificateFacts({ subject, issuer, notBefore, notAfter }: Certificate): string {
  const [name, above] = [subject.commonName ?? 'unnamed', issuer.commonName ?? 'unnamed'];
  return `${name}, issued by ${above}, ${notBefore.toISOString()} to ${notAfter.toISOString()}`;
}
