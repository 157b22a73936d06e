import { attestationBundleSchema, base64UrlUpTo, hex32Schema } from '@fastness/channel/wire';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

/**
 * A receipt with everything that is needed to verify it later, without a network: the signed receipt, the evidence with
 * its endorsements, the keys, the nonce and the release package. It holds no part of request or response, only their
 * digests: keep those beside it, and pass them in to prove what was said.
 */
export const receiptBundleSchema = z.strictObject({
  format: z.literal('fastness/receipt/v1'),
  /** COSE_Sign1, base64url. */
  receipt: base64UrlUpTo(4096),
  attestation: attestationBundleSchema,
  request: z.strictObject({
    method: z.string().min(1).max(32),
    /** Path and query as they went through the channel. */
    path: z.string().min(1).max(8192),
    digest: hex32Schema,
  }),
  response: z.strictObject({ status: z.int().min(200).max(599), digest: hex32Schema }),
});

export type ReceiptBundle = z.infer<typeof receiptBundleSchema>;

/** @throws FastnessError `CLIENT_RECEIPT_BUNDLE`, naming the members at fault */
export function parseReceiptBundle(value: unknown): ReceiptBundle {
  const result = receiptBundleSchema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'bundle'}: ${issue.code}`);
  throw new FastnessError('CLIENT_RECEIPT_BUNDLE', faults.join('; '));
}
