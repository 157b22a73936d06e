import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { importSpki, verifySignedBy, type Certificate, type Crl } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import type { Chain } from './certificates.ts';
import type { CrlSelection } from './revocation.ts';
import type { SignedReport } from './stages.ts';

/** Whether one signature holds. */
export interface SignatureOutcome {
  readonly code: ErrorCode;
  /** Who must have signed what. */
  readonly claim: string;
  readonly holds: boolean;
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
  const [reportOutcome, ...outcomes] = await Promise.all([
    outcomeOf('SNP_REPORT_SIGNATURE', `${nameOf(leaf)} signed the report`, verifyReport(leaf, signed)),
    issued('SNP_ARK_SIGNATURE', ark, ark),
    issued('SNP_INTERMEDIATE_SIGNATURE', intermediate, ark),
    issued('SNP_LEAF_SIGNATURE', leaf, intermediate),
    ...crls.issued.map(async (crl) => issued('SNP_CRL_SIGNATURE', crl, ark)),
  ]);
  return { chain: [...outcomes.slice(0, 3), reportOutcome], crls: outcomes.slice(3) };
}

/** Throws the code of the first signature that does not hold. */
export function requireSignatures(outcomes: readonly SignatureOutcome[], checks: Checklist): void {
  for (const { code, claim, holds } of outcomes)
    checks.require(code, holds, { expected: claim, actual: holds ? 'it did' : 'it did not' });
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

/** A signature that does not hold is an outcome; anything else that goes wrong stays an error. */
async function outcomeOf(code: ErrorCode, claim: string, verification: Promise<void>): Promise<SignatureOutcome> {
  try {
    await verification;
    return { code, claim, holds: true };
  } catch (error) {
    if (error instanceof FastnessError && error.code === 'X509_SIGNATURE') return { code, claim, holds: false };
    throw error;
  }
}

function nameOf(certificate: Certificate): string {
  return certificate.subject.commonName ?? 'a certificate without a name';
}
