import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { verifySignedBy, type Certificate, type Crl } from '@fastness/codec/x509';
import type { Checklist } from './checks.ts';
import { endorsementVerifier, type VerificationMeans } from './means.ts';

/** What became of one signature. */
export interface SignatureOutcome {
  readonly code: ErrorCode;
  /** Who must have signed what. */
  readonly expected: string;
  readonly holds: boolean;
  readonly actual: string;
  /** What kept the signature from being verified at all, for instance a key off its curve. */
  readonly fault?: unknown;
}

/** That `issuer` issued a certificate or a list. */
export async function issued(
  code: ErrorCode,
  child: Certificate | Crl,
  issuer: Certificate,
  means: VerificationMeans,
): Promise<SignatureOutcome> {
  const what = child.kind === 'crl' ? 'its revocation list' : nameOf(child);
  return issuedOnce('x509', { code, expected: `${nameOf(issuer)} signed ${what}`, issuer, child }, means, async () =>
    verifySignedBy(child, issuer, endorsementVerifier(means)),
  );
}

/**
 * What became of a signature on what endorses evidence. A cache that saw it hold, on the very values that it keeps, saves
 * verifying it again. `how` names what `verification` looks at: what one check found says nothing about another.
 */
export async function issuedOnce(
  how: string,
  {
    code,
    expected,
    issuer,
    child,
  }: { readonly code: ErrorCode; readonly expected: string; readonly issuer: Certificate; readonly child: object },
  { cache }: VerificationMeans,
  verification: () => Promise<void>,
): Promise<SignatureOutcome> {
  if (cache?.knowsIssued(how, issuer, child) === true) return held(code, expected);
  const outcome = await outcomeOf(code, expected, verification);
  if (outcome.holds) cache?.noteIssued(how, issuer, child);
  return outcome;
}

function held(code: ErrorCode, expected: string): SignatureOutcome {
  return { code, expected, holds: true, actual: 'it did' };
}

/** Whoever pinned the certificate knows that its own key signed it. */
export function knownRoot(code: ErrorCode, root: Certificate): SignatureOutcome {
  return { code, expected: `${nameOf(root)} signed itself`, holds: true, actual: 'the pinned certificate' };
}

/** Whoever pinned the root knows, byte for byte, that its key signed this certificate. */
export function knownIssued(code: ErrorCode, child: Certificate, issuer: Certificate): SignatureOutcome {
  const expected = `${nameOf(issuer)} signed ${nameOf(child)}`;
  return { code, expected, holds: true, actual: 'a certificate known to be its own' };
}

/**
 * Never rejects, so that signatures can be verified at once: which failure is reported is decided afterwards, in a fixed
 * order that does not depend on timing.
 */
export async function outcomeOf(
  code: ErrorCode,
  expected: string,
  verification: () => Promise<void>,
): Promise<SignatureOutcome> {
  try {
    await verification();
    return held(code, expected);
  } catch (error) {
    const outcome = { code, expected, holds: false, actual: 'it did not' };
    return error instanceof FastnessError && error.code === 'X509_SIGNATURE' ? outcome : { ...outcome, fault: error };
  }
}

/** Throws for the first signature that does not hold or could not be verified. */
export function requireSignatures(outcomes: readonly SignatureOutcome[], checks: Checklist): void {
  for (const { code, expected, actual, holds, fault } of outcomes) {
    if (fault !== undefined) throw fault;
    checks.require(code, holds, { expected, actual });
  }
}

/** A certificate for people. */
export function nameOf(certificate: Certificate): string {
  return certificate.subject.commonName ?? 'a certificate without a name';
}
