import { verifyRawSignature } from '@fastness/codec/x509';
import { evidenceVerifier, type VerificationMeans } from '../../means.ts';
import { issued, knownIssued, knownRoot, nameOf, outcomeOf, type SignatureOutcome } from '../../signatures.ts';
import type { Chain } from './certificates.ts';
import type { CrlSelection } from './revocation.ts';
import type { SignedReport } from './stages.ts';

export interface SignatureOutcomes {
  readonly chain: readonly SignatureOutcome[];
  readonly crls: readonly SignatureOutcome[];
}

/** Verifies every signature at once: they do not depend on each other, and the keys they use are already chosen. */
export async function verifySignatures(
  { ark, arkKnown, intermediate, intermediateKnown, leaf }: Chain,
  crls: CrlSelection,
  { message, signature }: SignedReport,
  means: VerificationMeans,
): Promise<SignatureOutcomes> {
  const algorithm = { kind: 'ecdsa', hash: 'SHA-384' } as const;
  // The slowest first.
  const [report, ...outcomes] = await Promise.all([
    outcomeOf('SNP_REPORT_SIGNATURE', `${nameOf(leaf)} signed the report`, async () =>
      verifyRawSignature({ holder: leaf, algorithm, signature, message }, evidenceVerifier(means)),
    ),
    arkKnown ? knownRoot('SNP_ARK_SIGNATURE', ark) : issued('SNP_ARK_SIGNATURE', ark, ark, means),
    intermediateKnown
      ? knownIssued('SNP_INTERMEDIATE_SIGNATURE', intermediate, ark)
      : issued('SNP_INTERMEDIATE_SIGNATURE', intermediate, ark, means),
    issued('SNP_LEAF_SIGNATURE', leaf, intermediate, means),
    ...crls.issued.map(async (crl) => issued('SNP_CRL_SIGNATURE', crl, ark, means)),
  ]);
  return { chain: [...outcomes.slice(0, 3), report], crls: outcomes.slice(3) };
}
