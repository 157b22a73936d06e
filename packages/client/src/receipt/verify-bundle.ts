import type { TrustAnchors } from '@fastness/attest';
import { requestDigestOf, responseDigestOf, type ReceiptClaims } from '@fastness/channel';
import { equalBytes, fromBase64Url, fromHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { ClientPolicy } from '../policy.ts';
import type { VerifiedEnclave } from '../verify/verified-enclave.ts';
import { verifyEnclave } from '../verify/verify-enclave.ts';
import { parseReceiptBundle, type ReceiptBundle } from './bundle.ts';
import { compareReceipt, readReceipt } from './check-receipt.ts';

/** A receipt that verified, and what it proves. */
export interface VerifiedReceipt {
  readonly claims: ReceiptClaims;
  readonly bundle: ReceiptBundle;
  /** The enclave behind the receipt, judged as of `judgedAt`. */
  readonly enclave: VerifiedEnclave;
  /**
   * The time as of which evidence, certificates and release were judged: that of the receipt. It is the enclave's word,
   * whose host sets its clock; the client that took the receipt compared it with its own.
   */
  readonly judgedAt: Date;
  /** Whether the caller's request and response were compared with the receipt. */
  readonly compared: { readonly request: boolean; readonly response: boolean };
  /** What was not proved, in words, for whoever prints the result. */
  readonly limits: readonly string[];
}

const clockTolerance = 5 * 60 * 1000;

/**
 * Verifies a receipt later, offline: that an enclave which met the policy when the receipt was issued answered the request
 * of this digest with the response of this digest.
 * @param options.bundle JSON-like data; untrusted
 * @param options.now when given, receipts from the future are refused (5 minutes of tolerance)
 * @param options.request the request to compare: method, path with query, body
 * @param options.response the response to compare: status and body
 * @throws FastnessError `CLIENT_RECEIPT_*` and the codes of `verifyEnclave`
 */
export async function verifyReceiptBundle(options: {
  bundle: unknown;
  policy: ClientPolicy;
  now?: Date;
  anchors?: TrustAnchors;
  request?: { method: string; path: string; body: Uint8Array };
  response?: { status: number; body: Uint8Array };
}): Promise<VerifiedReceipt> {
  const { policy, now, anchors, request, response } = options;
  const bundle = parseReceiptBundle(options.bundle);
  const claims = await readReceipt(bundle.receipt, fromBase64Url(bundle.attestation.receiptKey));
  const judgedAt = claims.issuedAt;
  if (now !== undefined && judgedAt.getTime() > now.getTime() + clockTolerance) {
    throw new FastnessError('CLIENT_RECEIPT_TIME', `Issued at ${judgedAt.toISOString()}, now ${now.toISOString()}.`);
  }
  const enclave = await verifyEnclave({
    bundle: bundle.attestation,
    nonce: fromBase64Url(bundle.attestation.nonce),
    policy,
    now: judgedAt,
    past: true,
    ...(anchors === undefined ? {} : { anchors }),
  });
  const { releaseDigest, keyConfigDigest, evidenceDigest } = enclave;
  const requestDigest = fromHex(bundle.request.digest);
  const responseDigest = fromHex(bundle.response.digest);
  compareReceipt(claims, { requestDigest, responseDigest, releaseDigest, keyConfigDigest, evidenceDigest });
  if (request !== undefined) {
    const same = request.method === bundle.request.method && request.path === bundle.request.path;
    if (!same || !equalBytes(await requestDigestOf(request), requestDigest)) {
      throw new FastnessError('CLIENT_RECEIPT_REQUEST', 'The request given is not the one of the receipt.');
    }
  }
  if (response !== undefined) {
    const same = response.status === bundle.response.status;
    if (!same || !equalBytes(await responseDigestOf(response), responseDigest)) {
      throw new FastnessError('CLIENT_RECEIPT_RESPONSE', 'The response given is not the one of the receipt.');
    }
  }
  const compared = { request: request !== undefined, response: response !== undefined };
  return { claims, bundle, enclave, judgedAt, compared, limits: limitsOf(enclave, compared) };
}

function limitsOf(enclave: VerifiedEnclave, compared: VerifiedReceipt['compared']): string[] {
  const limits = [
    'Evidence, certificates and release were judged as of the time in the receipt, which the enclave states.',
    'Revocations that were published after the evidence was collected are not considered.',
  ];
  if (enclave.simulated) limits.unshift('SIMULATED: no hardware protected this exchange.');
  if (!compared.request)
    limits.push('The request was not given: only its digest is proved, not the method and path beside it.');
  if (!compared.response)
    limits.push('The response was not given: only its digest is proved, not the status beside it.');
  return limits;
}
