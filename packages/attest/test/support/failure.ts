import type { ErrorCode } from '@fastness/codec/errors';
import { generateKeys, sharedKeys, type ForgedAmdChain, type ForgedExtension } from '@fastness/testkit';
import { after, type Scenario } from './forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type Failure = readonly [code: ErrorCode, what: string, scenario: Scenario];

/** Keys for a root and an intermediate, and keys that have no business in a chain. */
export const [rootKeys, askKeys, strangerKeys, p256Keys, p384Keys] = await Promise.all([
  sharedKeys('a root', 'rsa-2048'),
  sharedKeys('an intermediate', 'rsa-2048'),
  sharedKeys('a stranger', 'rsa-2048'),
  generateKeys('p-256'),
  generateKeys('p-384'),
]);

/** Places in a chain. */
export const [LEAF, INTERMEDIATE, ROOT] = [0, 1, 2];

/** The chain without one certificate. */
export const omit = (place: number | undefined) => (chain: ForgedAmdChain) =>
  chain.certificates.filter((_, index) => index !== place);

/** A validity, in days from now. */
export const period = (from: number, to: number) => ({ notBefore: after(from), notAfter: after(to) });

/** Leaf extensions without one of them. */
export const without = (oid: string) => (extensions: ForgedExtension[]) =>
  extensions.filter((extension) => extension.oid !== oid);

/** Leaf extensions with one of them holding something else. */
export const replaced = (oid: string, value: Uint8Array) => (extensions: ForgedExtension[]) =>
  extensions.map((extension) => (extension.oid === oid ? { oid, value } : extension));

export function flipLast(bytes: Uint8Array): Uint8Array {
  const flipped = bytes.slice();
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  return flipped;
}
