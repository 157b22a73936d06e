import { FastnessError } from '@fastness/codec/errors';

/** What the names of a store's keys begin with, so that several stores fit into one account. */
export const defaultPrefix = 'fastness';

/** Errors: KEYS_URI. */
export function checkPrefix(prefix: string): string {
  if (!/^[a-z][a-z0-9]{0,31}$/.test(prefix)) {
    throw new FastnessError('KEYS_URI', 'A prefix has 1 to 32 characters of a-z and 0-9 and begins with a letter.');
  }
  return prefix;
}
