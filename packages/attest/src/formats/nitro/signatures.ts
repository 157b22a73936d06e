import { sign1ToBeSigned, type Sign1 } from '@fastness/codec/cose';
import { verifyRawSignature, verifySignature, type Certificate } from '@fastness/codec/x509';
import type { ErrorCode } from '@fastness/codec/errors';
import type { Checklist } from '../../checks.ts';
import { endorsementVerifier, evidenceVerifier, type VerificationMeans } from '../../means.ts';
import {
  issuedOnce,
  knownRoot,
  nameOf,
  outcomeOf,
  requireSignatures,
  type SignatureOutcome,
} from '../../signatures.ts';
import type { Chain } from './chain.ts';

/**
 * Verifies every signature at once, as the chain is already chosen; then throws for the first one, from the root down to
 * the document, that does not hold or could not be verified. Six P-384 verifications at most for AWS's chains; five where
 * the root is the known certificate. `message` is signed with ES384: the parser takes nothing else.
 */
export async function checkSignatures(
  { root, rootKnown, intermediates, leaf }: Chain,
  message: Sign1,
  checks: Checklist,
  means: VerificationMeans,
): Promise<void> {
  const issuers = [root, ...intermediates];
  const outcomes = await Promise.all([
    rootKnown ? knownRoot('NITRO_ROOT_SIGNATURE', root) : issued('NITRO_ROOT_SIGNATURE', root, root, means),
    ...intermediates.map(async (child, index) =>
      issued('NITRO_INTERMEDIATE_SIGNATURE', child, issuers[index] ?? root, means),
    ),
    issued('NITRO_LEAF_SIGNATURE', leaf, issuers.at(-1) ?? root, means),
    outcomeOf('NITRO_DOCUMENT_SIGNATURE', `${nameOf(leaf)} signed the document`, async () =>
      verifyDocument(leaf, message, means),
    ),
  ]);
  requireSignatures(outcomes, checks);
}

/** AWS's authorities are judged by `checkChainShape`; here only the signature counts. */
async function issued(
  code: ErrorCode,
  child: Certificate,
  issuer: Certificate,
  means: VerificationMeans,
): Promise<SignatureOutcome> {
  const { signatureAlgorithm: algorithm, signature, tbs: signedPart } = child;
  const verifier = endorsementVerifier(means);
  const expected = `${nameOf(issuer)} signed ${nameOf(child)}`;
  return issuedOnce('nitro', { code, expected, issuer, child }, means, async () =>
    verifySignature({ holder: issuer, algorithm, signature, message: signedPart, verifier }),
  );
}

async function verifyDocument(
  holder: Certificate,
  { protectedBytes, payload, signature }: Sign1,
  means: VerificationMeans,
): Promise<void> {
  const message = sign1ToBeSigned({ protectedBytes, payload: payload ?? new Uint8Array() });
  const algorithm = { kind: 'ecdsa', hash: 'SHA-384' } as const;
  await verifyRawSignature({ holder, algorithm, signature, message }, evidenceVerifier(means));
}
