import { FastnessError } from '@fastness/codec/errors';
import { EIF_MAGIC } from './eif.ts';
import { isOvmf } from './ovmf.ts';

/** What an image is: a program for firmware, an enclave image of AWS Nitro, an OVMF firmware. */
export type ImageKind = 'uki' | 'eif' | 'ovmf';

/** The kind of an image by how it begins or ends. Throws IMAGE_KIND_UNKNOWN. */
export function imageKindOf(image: Uint8Array): ImageKind {
  const [first = 0, second = 0, third = 0, fourth = 0] = image;
  if (((first << 24) | (second << 16) | (third << 8) | fourth) === EIF_MAGIC) return 'eif';
  if (first === 0x4d && second === 0x5a) return 'uki';
  if (isOvmf(image)) return 'ovmf';
  throw new FastnessError('IMAGE_KIND_UNKNOWN');
}
