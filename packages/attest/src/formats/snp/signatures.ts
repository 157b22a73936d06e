import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { importSpki, verifySignedBy, type Certificate, type Crl } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import type { Chain } from './certificates.ts';
import type { CrlSelection } from './revocation.ts';
import type { SignedReport } from './stages.ts';

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

export interface SignatureOutcomes {
  readonly chain: readonly SignatureOutcome[];
  readonly crls: readonly SignatureOutcome[];
}

/**
 * Verifies every signature at once: they do not depend on each other, and the keys they use are already chosen. Which
 * failure is reported is decided afterwards, in a fixed order.
 */
export async function verifySignatures(
  chain: Chain,
  crls: CrlSelection,
  signed: SignedReport,
): Promise<SignatureOutcomes> {
  const { ark, intermediate, leaf } = chain;
  // The slowest first.
  const [reportOutcome, ...outcomes] = await Promise.all([
    outcomeOf('SNP_REPORT_SIGNATURE', `${nameOf(leaf)} signed the report`, verifyReport(leaf, signed)),
    chain.arkKnown ? knownRoot(ark) : issued('SNP_ARK_SIGNATURE', ark, ark),
    issued('SNP_INTERMEDIATE_SIGNATURE', intermediate, ark),
    issued('SNP_LEAF_SIGNATURE', leaf, intermediate),
    ...crls.issued.map(async (crl) => issued('SNP_CRL_SIGNATURE', crl, ark)),
  ]);
  return { chain: [...outcomes.slice(0, 3), reportOutcome], crls: outcomes.slice(3) };
}

/** Throws for the first signature that does not hold or could not be verified. */
export function requireSignatures(outcomes: readonly SignatureOutcome[], checks: Checklist): void {
  for (const { code, expected, actual, holds, fault } of outcomes) {
    if (fault !== undefined) throw fault;
    checks.require(code, holds, { expected, actual });
  }
}

/** Whoever pinned the certificate knows that its own key signed it. */
function knownRoot(ark: Certificate): SignatureOutcome {
  const expected = `${nameOf(ark)} signed itself`;
  return { code: 'SNP_ARK_SIGNATURE', expected, holds: true, actual: 'the pinned certificate' };
}

async function issued(code: ErrorCode, child: Certificate | Crl, issuer: Certificate): Promise<SignatureOutcome> {
  const what = child.kind === 'crl' ? 'its revocation list' : nameOf(child);
  return outcomeOf(code, `${nameOf(issuer)} signed ${what}`, verifySignedBy(child, issuer));
}

async function verifyReport(leaf: Certificate, { message, signature }: SignedReport): Promise<void> {
  const key = await importSpki(leaf, { kind: 'ecdsa', hash: 'SHA-384' });
  const holds = await globalThis.crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-384' }, key, signature, message);
  if (!holds) throw new FastnessError('X509_SIGNATURE');
}

/** Never rejects, so that the order in which signatures fail does not matter. */
async function outcomeOf(code: ErrorCode, expected: string, verification: Promise<void>): Promise<SignatureOutcome> {
  try {
    await verification;
    return { code, expected, holds: true, actual: 'it did' };
  } catch (error) {
    const outcome = { code, expected, holds: false, actual: 'it did not' };
    return error instanceof FastnessError && error.code === 'X509_SIGNATURE' ? outcome : { ...outcome, fault: error };
  }
}

function nameOf(certificate: Certificate): string {
  return certificate.subject.commonName ?? 'a certificate without a name';
}
