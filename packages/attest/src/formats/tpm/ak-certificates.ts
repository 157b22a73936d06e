import type { Certificate, Crl } from '@fastness/codec/x509';
import { FastnessError } from '@fastness/codec/errors';
import type { Checklist } from '../../checks.ts';
import { readCertificate, readCrl, type VerificationMeans } from '../../means.ts';
import { issued, knownRoot, requireSignatures } from '../../signatures.ts';
import type { VtpmTrustAnchor } from '../../trust/vtpm-anchor.ts';
import { checkAkValidity, selectAkChain } from './ak-chain.ts';
import { checkAkRevocation, requireAkLists, selectAkLists } from './ak-revocation.ts';
import { checkAkChainShape, type LeafPurpose } from './ak-shape.ts';
import type { VtpmEndorsements } from './evidence.ts';

/** The certificate of an attestation key, and what may stand above it; read, and nothing more. */
export interface AkCertificates {
  readonly leaf: Certificate;
  /** Candidates for its issuers, in any order. */
  readonly pool: readonly Certificate[];
  readonly crls: readonly Crl[];
}

/** Certificates that evidence may bring itself: the leaf first. */
export const MAX_AK_CERTIFICATES = 8;
/** Certificates or lists that evidence and endorsements may bring together. */
const MAX_OBJECTS = 16;

/** Reads what evidence (leaf first) and endorsements brought. Throws ATTEST_EVIDENCE_MALFORMED, ATTEST_ENDORSEMENT_MALFORMED, X509_..., CODEC_.... */
export function readAkCertificates(
  sent: readonly Uint8Array[],
  endorsements: VtpmEndorsements,
  means: VerificationMeans,
): AkCertificates {
  const [leaf, ...others] = sent;
  if (leaf === undefined)
    throw new FastnessError('ATTEST_EVIDENCE_MALFORMED', 'No certificate of the attestation key.');
  const pool = [...others, ...endorsements.certificates];
  if (pool.length > MAX_OBJECTS || endorsements.crls.length > MAX_OBJECTS) {
    throw new FastnessError('ATTEST_ENDORSEMENT_MALFORMED', `More than ${MAX_OBJECTS} certificates or lists.`);
  }
  return Object.freeze({
    leaf: readCertificate(leaf, means),
    pool: Object.freeze(pool.map((der) => readCertificate(der, means))),
    crls: Object.freeze(endorsements.crls.map((der) => readCrl(der, means))),
  });
}

/**
 * Establishes that a pinned root vouches for the attestation key of the leaf: chain by key, purposes, signatures, validity,
 * revocation. Throws the TPM_AK_ code of the first check that fails.
 */
export async function authenticateAkCertificates(
  { leaf, pool, crls }: AkCertificates,
  options: VerificationMeans & {
    readonly anchors: readonly VtpmTrustAnchor[];
    readonly purpose: LeafPurpose;
    readonly now: Date;
  },
  checks: Checklist,
): Promise<void> {
  const { now } = options;
  const chain = await selectAkChain(leaf, pool, options.anchors, checks);
  checkAkChainShape(chain, options.purpose, checks);
  const { root, intermediates } = chain;
  const authorities = [root, ...intermediates];
  const selection = selectAkLists(chain, crls);
  requireSignatures(
    await Promise.all([
      chain.rootKnown ? knownRoot('TPM_AK_ROOT_SIGNATURE', root) : issued('TPM_AK_ROOT_SIGNATURE', root, root, options),
      ...intermediates.map(async (child, index) =>
        issued('TPM_AK_INTERMEDIATE_SIGNATURE', child, authorities[index] ?? root, options),
      ),
      issued('TPM_AK_LEAF_SIGNATURE', leaf, authorities.at(-1) ?? root, options),
    ]),
    checks,
  );
  checkAkValidity(chain, now, checks);
  requireAkLists(selection, crls, checks);
  const lists = selection.flatMap(({ issuer, lists: own }) => own.map((crl) => ({ issuer, crl })));
  requireSignatures(
    await Promise.all(lists.map(async ({ issuer, crl }) => issued('TPM_AK_CRL_SIGNATURE', crl, issuer, options))),
    checks,
  );
  checkAkRevocation(selection, now, checks);
}
