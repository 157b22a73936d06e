import { utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import type { AuditHead } from '../audit/entry.ts';

const schema = z.strictObject({ seq: z.int().nonnegative(), hash: z.string().regex(/^[0-9a-f]{64}$/) });

/** What is anchored: the entry of the audit log up to which the state has been recorded. Its hash covers all before it. */
export function encodeHead({ seq, hash }: AuditHead): Uint8Array {
  return utf8Encode(JSON.stringify({ seq, hash }));
}

/** Throws FRESHNESS_RECORD_INVALID. */
export function decodeHead(content: Uint8Array): AuditHead {
  try {
    return schema.parse(JSON.parse(utf8Decode(content)));
  } catch (cause) {
    throw new FastnessError('FRESHNESS_RECORD_INVALID', 'It holds no entry.', { cause });
  }
}
