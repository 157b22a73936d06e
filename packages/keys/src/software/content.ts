import { concatBytes, u32be, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { algorithmsOf, type KeyAlgorithm, type KeyInfo, type KeyPurpose } from '../key-store.ts';
import { keyIdPattern } from '../wrapped-key.ts';

/*
 * What the encrypted file holds: u32be length | description as JSON | secrets, one after the other in the
 * description's order. The secrets stay bytes from end to end (a JSON string could not be wiped): 32 bytes for a
 * wrapping key, PKCS#8 DER for a signing key.
 */

export const maxKeys = 256;
export const maxVersions = 256;

export interface KeyVersion {
  readonly version: number;
  readonly secret: Uint8Array;
}

export interface StoredKey {
  readonly id: string;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  readonly createdAt: string;
  /** Since when it may not be used; absent while it may. */
  readonly disabledAt?: string;
  /** Ascending by version, never empty; the last one is current. */
  readonly versions: readonly KeyVersion[];
}

export interface StoreContent {
  /** Rises by one with every write; a process refuses to go back. */
  readonly generation: number;
  readonly keys: readonly StoredKey[];
}

const versionSchema = z.strictObject({
  version: z.int().min(1).max(0xffff_ffff),
  bytes: z.int().min(16).max(512),
});

const contentSchema = z.strictObject({
  generation: z.int().min(1),
  keys: z
    .array(
      z.strictObject({
        id: z.string().regex(keyIdPattern),
        purpose: z.enum(['wrap', 'sign']),
        algorithm: z.enum(['AES-256-GCM', 'P-256', 'P-384', 'Ed25519']),
        createdAt: z.iso.datetime(),
        // Written by releases that know it, and only for keys that are disabled: older stores stay as they are.
        disabledAt: z.iso.datetime().exactOptional(),
        versions: z.array(versionSchema).min(1).max(maxVersions),
      }),
    )
    .max(maxKeys),
});

export function encodeContent(content: StoreContent): Uint8Array {
  const description = utf8Encode(
    JSON.stringify({
      generation: content.generation,
      keys: content.keys.map((key) => ({
        id: key.id,
        purpose: key.purpose,
        algorithm: key.algorithm,
        createdAt: key.createdAt,
        ...(key.disabledAt === undefined ? {} : { disabledAt: key.disabledAt }),
        versions: key.versions.map(({ version, secret }) => ({ version, bytes: secret.length })),
      })),
    }),
  );
  const secrets = content.keys.flatMap((key) => key.versions.map(({ secret }) => secret));
  return concatBytes(u32be(description.length), description, ...secrets);
}

/** The secrets of the result are copies; the caller wipes `bytes`, and the copies when done. Errors: KEYS_FILE_DAMAGED. */
export function decodeContent(bytes: Uint8Array): StoreContent {
  const described = describedLength(bytes);
  const parsed = contentSchema.safeParse(parseJson(bytes.subarray(4, described)));
  if (!parsed.success) throw new FastnessError('KEYS_FILE_DAMAGED', 'Its description is malformed.');
  const { generation, keys } = parsed.data;
  const lengths = keys.flatMap((key) => key.versions.map((version) => version.bytes));
  if (described + lengths.reduce((sum, length) => sum + length, 0) !== bytes.length) {
    throw new FastnessError('KEYS_FILE_DAMAGED', 'Its secrets do not fit its description.');
  }
  let offset = described;
  const stored = keys.map((key): StoredKey => {
    const fits: readonly KeyAlgorithm[] = algorithmsOf[key.purpose];
    if (!fits.includes(key.algorithm)) throw new FastnessError('KEYS_FILE_DAMAGED', 'A key has a foreign algorithm.');
    const ascending = key.versions.every(
      (entry, index) => index === 0 || entry.version > (key.versions[index - 1]?.version ?? 0),
    );
    if (!ascending) throw new FastnessError('KEYS_FILE_DAMAGED', 'The versions of a key are out of order.');
    const { id, purpose, algorithm, createdAt, disabledAt } = key;
    const restored = {
      id,
      purpose,
      algorithm,
      createdAt,
      versions: key.versions.map(({ version, bytes: length }) => {
        // Not slice(): on a Buffer that is a view, which the caller's wiping would turn into zeros.
        const secret = new Uint8Array(bytes.subarray(offset, offset + length));
        offset += length;
        return { version, secret };
      }),
    };
    return disabledAt === undefined ? restored : Object.assign(restored, { disabledAt });
  });
  if (new Set(stored.map((key) => key.id)).size !== stored.length) {
    throw new FastnessError('KEYS_FILE_DAMAGED', 'Two keys have the same id.');
  }
  return { generation, keys: stored };
}

export function wipeContent(content: StoreContent): void {
  for (const key of content.keys) for (const { secret } of key.versions) secret.fill(0);
}

export function infoOf(key: StoredKey): KeyInfo {
  return {
    id: key.id,
    purpose: key.purpose,
    algorithm: key.algorithm,
    version: currentVersion(key).version,
    versions: key.versions.map(({ version }) => version),
    createdAt: key.createdAt,
    ...(key.disabledAt === undefined ? {} : { disabledAt: key.disabledAt }),
  };
}

export function currentVersion(key: StoredKey): KeyVersion {
  const current = key.versions.at(-1);
  if (current === undefined) throw new FastnessError('KEYS_FILE_DAMAGED', 'A key has no version.');
  return current;
}

function describedLength(bytes: Uint8Array): number {
  if (bytes.length < 4) throw new FastnessError('KEYS_FILE_DAMAGED', 'It has no description.');
  const end = 4 + new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  if (end > bytes.length) throw new FastnessError('KEYS_FILE_DAMAGED', 'Its description was cut short.');
  return end;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Decode(bytes));
  } catch (cause) {
    throw new FastnessError('KEYS_FILE_DAMAGED', 'Its description is not JSON.', { cause });
  }
}
