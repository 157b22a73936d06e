import { verifyReceipt, type ReceiptClaims } from '@fastness/channel';
import { equalBytes, fromBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

/** What the claims of a receipt must name; 32 bytes each. */
export interface ReceiptExpectations {
  readonly requestDigest: Uint8Array;
  readonly responseDigest: Uint8Array;
  readonly releaseDigest: Uint8Array;
  readonly keyConfigDigest: Uint8Array;
  readonly evidenceDigest: Uint8Array;
}

const codes = [
  ['requestDigest', 'CLIENT_RECEIPT_REQUEST'],
  ['responseDigest', 'CLIENT_RECEIPT_RESPONSE'],
  ['releaseDigest', 'CLIENT_RECEIPT_RELEASE'],
  ['keyConfigDigest', 'CLIENT_RECEIPT_KEYS'],
  ['evidenceDigest', 'CLIENT_RECEIPT_EVIDENCE'],
] as const;

/**
 * Verifies the signature of a receipt.
 * @param receipt COSE_Sign1, base64url
 * @throws FastnessError `CLIENT_RECEIPT_INVALID`
 */
export async function readReceipt(receipt: string, receiptKey: Uint8Array): Promise<ReceiptClaims> {
  try {
    return await verifyReceipt({ receipt: fromBase64Url(receipt), receiptKey });
  } catch (error) {
    if (error instanceof FastnessError) {
      throw new FastnessError('CLIENT_RECEIPT_INVALID', `${error.code}.`, { cause: error });
    }
    throw error;
  }
}

/** @throws FastnessError `CLIENT_RECEIPT_REQUEST`, `_RESPONSE`, `_RELEASE`, `_KEYS`, `_EVIDENCE` */
export function compareReceipt(claims: ReceiptClaims, expected: ReceiptExpectations): void {
  for (const [field, code] of codes) {
    if (!equalBytes(claims[field], expected[field])) throw new FastnessError(code);
  }
}
