import { FastnessError } from '@fastness/codec/errors';

const sizePattern = /^(?:0|[1-9]\d{0,15})$/;

/** A number of entries, or the index of one: 0 to 2^53 - 1. @throws LOG_RANGE */
export function checkSize(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new FastnessError('LOG_RANGE', `${what}: not a size.`);
  return value;
}

/** Reads decimal digits without leading zeroes; undefined when they are not, or are more than 2^53 - 1. */
export function parseSize(text: string): number | undefined {
  const value = sizePattern.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The largest power of two below `size` (at least 2): where RFC 6962 splits a tree. */
export function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

export const half = (value: number): number => Math.floor(value / 2);

export const isOdd = (value: number): boolean => value % 2 === 1;

export function isPowerOfTwo(value: number): boolean {
  let rest = value;
  while (rest > 1 && !isOdd(rest)) rest = half(rest);
  return rest === 1;
}
