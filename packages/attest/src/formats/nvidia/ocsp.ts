import { equalBytes, toHex } from '@fastness/codec';
import { answerFor, authorisedResponder, type OcspAnswer, type OcspResponse } from '@fastness/codec/ocsp';
import { verifySignature, type Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { endorsementVerifier, type VerificationMeans } from '../../means.ts';
import { nameOf, outcomeOf, requireSignatures } from '../../signatures.ts';
import { signedBy } from './chain.ts';

/** Clocks of NVIDIA's responder and of the verifier may differ by this much: it answers with the time of asking. */
const MAX_SKEW_MS = 60_000;
/** A response without an end is newer than anything only when it is made; NVIDIA's own SDK keeps it for as long. */
const DEFAULT_AGE_SECONDS = 86_400;
/** CRLReason certificateHold (RFC 5280, section 5.3.1). */
const CERTIFICATE_HOLD = 6;

/** A certificate whose revocation matters, and who issued it. */
export interface IssuedCertificate {
  readonly certificate: Certificate;
  readonly issuer: Certificate;
}

export interface OcspOptions extends VerificationMeans {
  readonly now: Date;
  /** The nonce that every response must carry. Absent: none is expected, and dates decide. */
  readonly nonce?: Uint8Array;
  readonly maxAgeSeconds?: number;
}

interface Found extends IssuedCertificate {
  readonly response: OcspResponse;
  readonly answer: OcspAnswer;
}

/**
 * Looks every certificate up in the responses that were handed in. Of several answers about one certificate the latest
 * counts. Each must come from the issuer or from a responder that the issuer authorised, in its time; certificates that are
 * unknown to the responder, on hold or revoked are refused.
 *
 * Not protected against: a revocation after the response was made, within its time, unless a nonce is expected; a responder
 * whose own certificate was revoked.
 */
export async function checkRevocation(
  certificates: readonly IssuedCertificate[],
  responses: readonly OcspResponse[],
  options: OcspOptions,
  checks: Checklist,
): Promise<void> {
  const found = await Promise.all(certificates.map(async (issued) => findAnswer(issued, responses)));
  const missing = certificates.filter((_, index) => found[index] === undefined);
  checks.requireUnlessWaived('NVIDIA_OCSP_MISSING', missing.length === 0, {
    expected: `OCSP responses about ${certificates.length} certificates`,
    actual: missing.length === 0 ? 'all of them' : `none about ${namesOf(missing)}`,
  });
  const answered = found.filter((one) => one !== undefined);
  if (answered.length === 0) {
    for (const code of ocspCodes) checks.notApplicable(code, 'no OCSP response; its absence is waived');
    return;
  }
  for (const one of answered) await checkResponse(one, options, checks);
}

async function findAnswer(
  { certificate, issuer }: IssuedCertificate,
  responses: readonly OcspResponse[],
): Promise<Found | undefined> {
  let latest: Found | undefined;
  for (const response of responses) {
    const answer = await answerFor(response, certificate, issuer);
    if (answer === undefined || (latest !== undefined && !isLater(answer, latest.answer))) continue;
    latest = { certificate, issuer, response, answer };
  }
  return latest;
}

/** Of two answers of one time, the one that does not say good counts. */
function isLater(answer: OcspAnswer, other: OcspAnswer): boolean {
  const [one, two] = [answer.thisUpdate.getTime(), other.thisUpdate.getTime()];
  return one > two || (one === two && answer.status.kind !== 'good');
}

async function checkResponse(
  { certificate, issuer, response, answer }: Found,
  options: OcspOptions,
  checks: Checklist,
): Promise<void> {
  const { now, nonce } = options;
  const subject = nameOf(certificate);
  const responder = await authorisedResponder(response, issuer, now);
  checks.require('NVIDIA_OCSP_RESPONDER', responder !== undefined, {
    expected: `an answer about ${subject} by ${nameOf(issuer)} or whom it authorised`,
    actual: responder === undefined ? 'an answer of somebody else' : nameOf(responder.signer),
  });
  const { signer, delegated } = responder;
  const { signatureAlgorithm: algorithm, signature, tbs: message } = response;
  const [delegation, own] = await Promise.all([
    delegated ? signedBy('NVIDIA_OCSP_SIGNATURE', signer, issuer, options) : undefined,
    outcomeOf('NVIDIA_OCSP_SIGNATURE', `${nameOf(signer)} signed the answer about ${subject}`, async () =>
      verifySignature({ holder: signer, algorithm, signature, message, verifier: endorsementVerifier(options) }),
    ),
  ]);
  requireSignatures(delegation === undefined ? [own] : [delegation, own], checks);

  if (nonce === undefined) checks.notApplicable('NVIDIA_OCSP_NONCE', 'no nonce is expected');
  else {
    checks.require('NVIDIA_OCSP_NONCE', response.nonce !== undefined && equalBytes(response.nonce, nonce), {
      expected: toHex(nonce),
      actual: response.nonce === undefined ? 'none' : toHex(response.nonce.subarray(0, 64)),
    });
  }
  checkWindow(answer, options, checks);
  checkStatus(answer, subject, checks);
}

function checkWindow({ thisUpdate, nextUpdate }: OcspAnswer, options: OcspOptions, checks: Checklist): void {
  const { now, maxAgeSeconds } = options;
  const actual = now.toISOString();
  const start = thisUpdate.getTime();
  checks.require('NVIDIA_OCSP_NOT_YET_VALID', start <= now.getTime() + MAX_SKEW_MS, {
    expected: `at or after ${thisUpdate.toISOString()}`,
    actual,
  });
  // The last second counts in full: these dates have no fractions.
  const limits = [
    ...(nextUpdate === undefined ? [] : [nextUpdate.getTime() + 1000]),
    ...(maxAgeSeconds === undefined ? [] : [start + maxAgeSeconds * 1000]),
    ...(nextUpdate === undefined && maxAgeSeconds === undefined ? [start + DEFAULT_AGE_SECONDS * 1000] : []),
  ];
  const end = Math.min(...limits);
  checks.requireUnlessWaived('NVIDIA_OCSP_EXPIRED', now.getTime() < end, {
    expected: `before ${new Date(end).toISOString()}`,
    actual,
  });
}

function checkStatus({ status }: OcspAnswer, subject: string, checks: Checklist): void {
  const since = status.kind === 'revoked' ? `revoked since ${status.date.toISOString()}` : status.kind;
  const actual = status.kind === 'revoked' ? `${since}, reason ${status.reason ?? 'not stated'}` : since;
  const compared = { expected: `${subject} good`, actual };
  const onHold = status.kind === 'revoked' && status.reason === CERTIFICATE_HOLD;
  checks.require('NVIDIA_OCSP_UNKNOWN', status.kind !== 'unknown', compared);
  checks.requireUnlessWaived('NVIDIA_CERTIFICATE_HOLD', !onHold, compared);
  checks.require('NVIDIA_CERTIFICATE_REVOKED', status.kind !== 'revoked' || onHold, compared);
}

function namesOf(certificates: readonly IssuedCertificate[]): string {
  return [...new Set(certificates.map(({ certificate }) => nameOf(certificate)))].join(', ');
}

const ocspCodes = [
  'NVIDIA_OCSP_RESPONDER',
  'NVIDIA_OCSP_SIGNATURE',
  'NVIDIA_OCSP_NONCE',
  'NVIDIA_OCSP_NOT_YET_VALID',
  'NVIDIA_OCSP_EXPIRED',
  'NVIDIA_OCSP_UNKNOWN',
  'NVIDIA_CERTIFICATE_HOLD',
  'NVIDIA_CERTIFICATE_REVOKED',
] as const;
