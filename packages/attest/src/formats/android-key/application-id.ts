import { toHex, utf8Decode } from '@fastness/codec';
import { DerReader, readDerSequence } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';

/** The applications that share the user id which asked for the attestation. Android fills it in, not the secure hardware. */
export interface ApplicationId {
  readonly packages: readonly { readonly name: string; readonly version: number }[];
  /** SHA-256 of the signing certificates, hex. */
  readonly signers: readonly string[];
}

const MAX_MEMBERS = 64;
const DIGEST_BYTES = 32;

/** Reads an AttestationApplicationId: SEQUENCE { SET OF { name, version }, SET OF digest }. Throws CODEC_.... */
export function readApplicationId(bytes: Uint8Array): ApplicationId {
  return readDerSequence(bytes, (fields) => {
    const packages = members(fields.set(), (set) => {
      const info = set.sequence();
      const name = utf8Decode(info.octetString());
      const version = unsigned(info.integer());
      info.end();
      return Object.freeze({ name, version });
    });
    const signers = members(fields.set(), (set) => {
      const digest = set.octetString();
      if (digest.length !== DIGEST_BYTES) throw new FastnessError('CODEC_MALFORMED', 'A digest that is not SHA-256.');
      return toHex(digest);
    });
    return Object.freeze({ packages, signers });
  });
}

function members<T>(set: DerReader, read: (set: DerReader) => T): readonly T[] {
  const list: T[] = [];
  while (set.remaining > 0) {
    if (list.length >= MAX_MEMBERS) throw new FastnessError('CODEC_LIMIT', 'Too many members of a set.');
    list.push(read(set));
  }
  return Object.freeze(list);
}

/** Version codes have 64 bits and stay far below 2^53. */
function unsigned(octets: Uint8Array): number {
  let value = 0;
  for (const octet of octets) value = value * 256 + octet;
  if ((octets[0] ?? 0) >= 0x80 || !Number.isSafeInteger(value))
    throw new FastnessError('CODEC_LIMIT', 'A version below zero or above 2^53.');
  return value;
}
