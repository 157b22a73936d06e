import { FastnessError } from '@fastness/codec/errors';
import { wrappedKeyFromJson, wrappedKeySchema, wrappedKeyToJson, type WrappedKey } from '@fastness/keys';
import { z } from 'zod';
import { parseJsonText } from '../release/json.ts';

const maxKeysLength = 64 * 1024;

/**
 * keys.json: the wrapped root key. A rotation rewrites it, so no signature covers it; a wrong one does not unwrap under
 * the sealing's context, and a wrong root key does not open a file, since FLOE commits to the key.
 */
export const keysFileSchema = z.strictObject({
  format: z.literal('fastness/keys/v1'),
  root: wrappedKeySchema,
});

/** Errors: MODEL_KEYS_MALFORMED. */
export function parseKeysFile(text: string): WrappedKey {
  const keys = parseJsonText(text, {
    schema: keysFileSchema,
    maxLength: maxKeysLength,
    code: 'MODEL_KEYS_MALFORMED',
    what: 'keys.json',
  });
  try {
    return wrappedKeyFromJson(keys.root);
  } catch (cause) {
    throw new FastnessError('MODEL_KEYS_MALFORMED', undefined, { cause });
  }
}

export function encodeKeysFile(root: WrappedKey): string {
  return `${JSON.stringify({ format: 'fastness/keys/v1', root: wrappedKeyToJson(root) }, null, 2)}\n`;
}
