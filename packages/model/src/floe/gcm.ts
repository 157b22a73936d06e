import { FastnessError } from '@fastness/codec/errors';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { nativeGcm } from './gcm-native.ts';
import { aeadTagLength } from './parameters.ts';

const algorithm = 'aes-256-gcm';

/**
 * Bytes given to Node's cipher at once. `update` returns newly allocated memory; up to this size allocators take it from
 * a free list that is still in the processor's cache (glibc below 128 KiB, musl below 112), above it they map fresh pages.
 */
const pieceLength = 96 * 1024;

/** One message of AES-256-GCM. */
export interface GcmMessage {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 12 bytes. */
  readonly iv: Uint8Array;
  readonly aad: Uint8Array;
  readonly source: Uint8Array;
  /** As long as `source`; the same memory, or none of it. */
  readonly target: Uint8Array;
  /** 16 bytes: written when encrypting, read when decrypting. */
  readonly tag: Uint8Array;
}

export interface Gcm {
  encrypt(message: GcmMessage): void;
  /** Wipes the target when the tag does not verify. @throws FLOE_SEGMENT_TAG with `where` as its detail */
  decrypt(message: GcmMessage, where: string): void;
}

let chosen: Gcm | undefined;

/** OpenSSL called directly where that works, which takes half the time of Node's own interface to it; else that. */
export function gcm(): Gcm {
  chosen ??= nativeGcm() ?? nodeGcm;
  return chosen;
}

/** Through node:crypto, which copies what it returns. */
export const nodeGcm: Gcm = Object.freeze({
  encrypt({ key, iv, aad, source, target, tag }: GcmMessage): void {
    const cipher = createCipheriv(algorithm, key, iv, { authTagLength: aeadTagLength });
    cipher.setAAD(aad);
    transform(cipher, source, target);
    cipher.final();
    tag.set(cipher.getAuthTag());
  },
  decrypt({ key, iv, aad, source, target, tag }: GcmMessage, where: string): void {
    const decipher = createDecipheriv(algorithm, key, iv, { authTagLength: aeadTagLength });
    decipher.setAAD(aad);
    decipher.setAuthTag(tag);
    transform(decipher, source, target);
    try {
      decipher.final();
    } catch {
      target.fill(0);
      throw new FastnessError('FLOE_SEGMENT_TAG', where);
    }
  },
});

function transform(cipher: { update(piece: Uint8Array): Uint8Array }, source: Uint8Array, target: Uint8Array): void {
  for (let offset = 0; offset < source.length; offset += pieceLength) {
    const piece = cipher.update(source.subarray(offset, offset + pieceLength));
    target.set(piece, offset);
    release(piece);
  }
}

/**
 * Gives the memory of a cipher's output back at once, so that the next output gets the same, still in cache. Left to
 * the collector, thousands of pieces pile up and each new one is cold memory: measured, half the throughput.
 */
function release(piece: Uint8Array): void {
  const { buffer } = piece;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === piece.byteLength) buffer.transfer(0);
}
