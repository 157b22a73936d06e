import { concatBytes, u32be, u64be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { hkdfSync } from 'node:crypto';
import type { Manifest } from '../manifest.ts';

/** What tells one sealing from another; every key and ciphertext of it is bound to both. */
export type SealIdentity = Pick<Manifest, 'modelId' | 'sealId'>;

export const rootKeyLength = 32;

/** Length-framed, so that no two lists of fields make the same bytes; the label keeps the uses apart. */
export function framed(label: string, ...fields: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...[utf8Encode(label), ...fields].flatMap((field) => [u32be(field.length), field]));
}

/** The context under which the root key is wrapped: a root key of another model or sealing does not unwrap as this one's. */
export function rootKeyContext({ modelId, sealId }: SealIdentity): Uint8Array {
  return framed('fastness/root-key/v1', utf8Encode(modelId), utf8Encode(sealId));
}

/**
 * The FLOE key of one file: HKDF-SHA256 (RFC 5869) of the root key, with the sealing and the path as info. 32 bytes; the
 * caller wipes them. @throws MODEL_ROOT_KEY
 */
export function deriveFileKey(root: Uint8Array, { modelId, sealId }: SealIdentity, path: string): Uint8Array {
  if (root.length !== rootKeyLength) throw new FastnessError('MODEL_ROOT_KEY', `This one has ${root.length}.`);
  const info = framed('fastness/file-key/v1', utf8Encode(modelId), utf8Encode(sealId), utf8Encode(path));
  return new Uint8Array(hkdfSync('sha256', root, new Uint8Array(), info, 32));
}

/** The associated data of one file's ciphertext. `size` is bytes of plaintext. */
export function fileAad(
  { modelId, sealId }: SealIdentity,
  { path, size }: { readonly path: string; readonly size: number },
): Uint8Array {
  return framed('fastness/file/v1', utf8Encode(modelId), utf8Encode(sealId), utf8Encode(path), u64be(size));
}
