import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { verifySignature, type Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { endorsementVerifier, evidenceVerifier, type VerificationMeans } from '../../means.ts';

/** Verifies every signature of a chain, from the root down; that of a known root was verified when it was pinned. */
export async function checkSignatures(
  chain: readonly Certificate[],
  rootKnown: boolean,
  means: VerificationMeans,
  checks: Checklist,
): Promise<void> {
  for (let index = chain.length - 1; index >= 0; index -= 1) {
    const child = chain[index];
    const issuer = chain[index + 1] ?? child;
    if (child === undefined || issuer === undefined) continue;
    const code = codeOf(index, chain.length);
    const known = rootKnown && index === chain.length - 1;
    const holds = known || (await isSigned(child, issuer, index === 0, means));
    checks.require(code, holds, {
      expected: `certificate ${index} signed by the next one`,
      actual: known ? 'the pinned certificate' : holds ? 'it is' : 'it is not',
    });
  }
}

function codeOf(index: number, length: number): ErrorCode {
  if (index === length - 1) return 'ANDROID_ROOT_SIGNATURE';
  return index === 0 ? 'ANDROID_LEAF_SIGNATURE' : 'ANDROID_INTERMEDIATE_SIGNATURE';
}

/** Attested keys are new every time; what is above them comes again. */
async function isSigned(
  child: Certificate,
  issuer: Certificate,
  isLeaf: boolean,
  means: VerificationMeans,
): Promise<boolean> {
  const { signatureAlgorithm: algorithm, signature, tbs: message } = child;
  const verifier = isLeaf ? evidenceVerifier(means) : endorsementVerifier(means);
  try {
    await verifySignature({ holder: issuer, algorithm, signature, message, verifier });
    return true;
  } catch (error) {
    if (error instanceof FastnessError && error.code === 'X509_SIGNATURE') return false;
    throw error;
  }
}
