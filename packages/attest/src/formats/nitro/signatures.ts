import { verifySign1, type Sign1 } from '@fastness/codec/cose';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { importSpki, verifySignature, type Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { nameOf, type Chain } from './chain.ts';
import { ES384 } from './layout.ts';

/** What became of one signature. */
interface SignatureOutcome {
  readonly code: ErrorCode;
  /** Who must have signed what. */
  readonly expected: string;
  readonly holds: boolean;
  readonly actual: string;
  /** What kept the signature from being verified at all, for instance a key off its curve. */
  readonly fault?: unknown;
}

/**
 * Verifies every signature at once, as the chain is already chosen; then throws for the first one, from the root down to
 * the document, that does not hold or could not be verified. Six P-384 verifications at most for AWS's chains; five where
 * the root is the known certificate.
 */
export async function requireSignatures(chain: Chain, message: Sign1, checks: Checklist): Promise<void> {
  const { root, intermediates, leaf } = chain;
  const issuers = [root, ...intermediates];
  const outcomes = await Promise.all([
    chain.rootKnown ? knownRoot(root) : issued('NITRO_ROOT_SIGNATURE', root, root),
    ...intermediates.map(async (child, index) => issued('NITRO_INTERMEDIATE_SIGNATURE', child, issuers[index] ?? root)),
    issued('NITRO_LEAF_SIGNATURE', leaf, issuers.at(-1) ?? root),
    outcomeOf('NITRO_DOCUMENT_SIGNATURE', `${nameOf(leaf)} signed the document`, verifyDocument(leaf, message)),
  ]);
  for (const { code, expected, actual, holds, fault } of outcomes) {
    if (fault !== undefined) throw fault;
    checks.require(code, holds, { expected, actual });
  }
}

/** Whoever pinned the certificate knows that its own key signed it. */
function knownRoot(root: Certificate): SignatureOutcome {
  const expected = `${nameOf(root)} signed itself`;
  return { code: 'NITRO_ROOT_SIGNATURE', expected, holds: true, actual: 'the pinned certificate' };
}

async function issued(code: ErrorCode, child: Certificate, issuer: Certificate): Promise<SignatureOutcome> {
  const { signatureAlgorithm: algorithm, signature, tbs: signedPart } = child;
  const verification = verifySignature({ holder: issuer, algorithm, signature, message: signedPart });
  return outcomeOf(code, `${nameOf(issuer)} signed ${nameOf(child)}`, verification);
}

async function verifyDocument(leaf: Certificate, message: Sign1): Promise<void> {
  const publicKey = await importSpki(leaf, { kind: 'ecdsa', hash: 'SHA-384' });
  await verifySign1({ message, publicKey, algorithms: [ES384] });
}

/** Never rejects, so that the order in which signatures fail does not matter. */
async function outcomeOf(code: ErrorCode, expected: string, verification: Promise<void>): Promise<SignatureOutcome> {
  try {
    await verification;
    return { code, expected, holds: true, actual: 'it did' };
  } catch (error) {
    const outcome = { code, expected, holds: false, actual: 'it did not' };
    const failed = error instanceof FastnessError && ['X509_SIGNATURE', 'COSE_SIGNATURE'].includes(error.code);
    return failed ? outcome : { ...outcome, fault: error };
  }
}
