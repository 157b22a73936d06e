import type { ResponseEnd } from '@fastness/channel';
import { receiptTrailer } from '@fastness/channel/wire';
import { equalBytes, toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { VerifiedEnclave } from '../verify/verified-enclave.ts';
import type { ReceiptBundle } from './bundle.ts';
import { compareReceipt, readReceipt } from './check-receipt.ts';

/** How far the clock of an enclave may be from the client's, in milliseconds. */
const receiptClockTolerance = 5 * 60 * 1000;

/**
 * Checks the receipt at the end of a response that just arrived and packs it with everything to verify it later.
 * @throws FastnessError `CLIENT_RECEIPT_*`
 */
export async function receiptAtEnd(options: {
  enclave: VerifiedEnclave;
  request: { method: string; path: string };
  requestDigest: Uint8Array;
  status: number;
  end: ResponseEnd;
  now: Date;
  /** Digest of the receipt before, if the request named one. */
  previous?: Uint8Array;
}): Promise<ReceiptBundle> {
  const { enclave, request, requestDigest, status, end, now, previous } = options;
  const receipt = end.trailers.get(receiptTrailer);
  if (receipt === null) throw new FastnessError('CLIENT_RECEIPT_MISSING');
  const claims = await readReceipt(receipt, enclave.receiptKey);
  const { releaseDigest, keyConfigDigest, evidenceDigest } = enclave;
  const { responseDigest } = end;
  compareReceipt(claims, { requestDigest, responseDigest, releaseDigest, keyConfigDigest, evidenceDigest });
  const linked = previous !== undefined && claims.previous !== undefined && equalBytes(previous, claims.previous);
  if (previous !== claims.previous && !linked) throw new FastnessError('CLIENT_RECEIPT_PREVIOUS');
  const difference = claims.issuedAt.getTime() - now.getTime();
  if (Math.abs(difference) > receiptClockTolerance) {
    throw new FastnessError('CLIENT_RECEIPT_TIME', `${Math.round(difference / 1000)} seconds apart.`);
  }
  return {
    format: 'fastness/receipt/v1',
    receipt,
    attestation: enclave.bundle,
    request: { method: request.method, path: request.path, digest: toHex(requestDigest) },
    response: { status, digest: toHex(responseDigest) },
  };
}
