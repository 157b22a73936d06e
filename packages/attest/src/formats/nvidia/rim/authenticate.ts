import { equalBytes, plainBytes, toHex } from '@fastness/codec';
import { verifyRawSignature } from '@fastness/codec/x509';
import { Checklist, type CheckRecord } from '../../../checks.ts';
import { endorsementVerifier, type VerificationMeans } from '../../../means.ts';
import { nameOf, outcomeOf, requireSignatures } from '../../../signatures.ts';
import { requireTime } from '../../../time.ts';
import type { NvidiaTrustAnchor } from '../../../trust/nvidia.ts';
import { chainSignatures, checkChainShape, documentCodes, isValidAt, periodOf, selectChain } from '../chain.ts';
import type { RimDocument } from './document.ts';

const ECDSA_SHA384 = Object.freeze({ kind: 'ecdsa', hash: 'SHA-384' } as const);

/**
 * Establishes that NVIDIA signed a document, for whoever keeps documents; nothing is waived, and revocation is not looked at.
 * @returns the checks that passed
 * @throws the NVIDIA_RIM_ code of the first check that fails; ATTEST_ARGUMENT_INVALID for what is no time
 */
export async function authenticateRim(
  document: RimDocument,
  options: VerificationMeans & { readonly anchors: readonly NvidiaTrustAnchor[]; readonly now: Date },
): Promise<readonly CheckRecord[]> {
  const checks: Checklist = new Checklist([]);
  await checkRim(document, { ...options, now: requireTime(options.now) }, checks);
  return checks.results().checks;
}

/**
 * Establishes that NVIDIA signed a document: its certificates end in the pinned root, are in their time and place, and sign
 * what the document says. Dates come before digests and signatures, so that an old document is told from a forged one by the
 * first code. Revocation is looked at elsewhere.
 * Throws the NVIDIA_RIM_ code of the first check that fails.
 */
export async function checkRim(
  { signed, product, version }: RimDocument,
  options: VerificationMeans & { readonly anchors: readonly NvidiaTrustAnchor[]; readonly now: Date },
  checks: Checklist,
): Promise<void> {
  const { anchors, now } = options;
  const chain = await selectChain(signed.certificates, anchors, documentCodes, checks);
  checkChainShape(chain, documentCodes, checks);
  const late = chain.certificates.find((certificate) => !isValidAt(certificate, now));
  checks.requireUnlessWaived('NVIDIA_RIM_VALIDITY', late === undefined, {
    expected: `${product} ${version} signed ${periodOf(late ?? chain.leaf)}`,
    actual: now.toISOString(),
  });
  const { leaf } = chain;
  const [digest, signatures, own] = await Promise.all([
    globalThis.crypto.subtle.digest('SHA-384', plainBytes(signed.content)),
    chainSignatures(chain, documentCodes, options),
    outcomeOf('NVIDIA_RIM_SIGNATURE', `${nameOf(leaf)} signed ${product} ${version}`, async () =>
      verifyRawSignature(
        { holder: leaf, algorithm: ECDSA_SHA384, signature: signed.signature, message: signed.signedInfo },
        endorsementVerifier(options),
      ),
    ),
  ]);
  requireSignatures(signatures, checks);
  const actual = new Uint8Array(digest);
  checks.require('NVIDIA_RIM_DIGEST', equalBytes(actual, signed.digest), {
    expected: toHex(signed.digest),
    actual: toHex(actual),
  });
  requireSignatures([own], checks);
}
