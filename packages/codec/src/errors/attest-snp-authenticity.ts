import type { ErrorFacts } from './class.ts';

const recollect = 'Collect a fresh report; if it persists, the platform or the path to it is damaged or forged.';
const refetch = 'Fetch the certificates for this chip and TCB from the AMD key distribution service again.';
const distrust =
  'Do not trust this machine: the evidence is forged or was assembled from parts that do not belong together.';

/** Codes of reading and authenticating AMD SEV-SNP evidence, in the order in which the checks run. */
export const snpAuthenticityErrors = Object.freeze({
  // parse
  SNP_REPORT_SIZE: { class: 'invalid', message: 'The attestation report is not 1184 bytes long.', next: recollect },
  SNP_REPORT_VERSION: {
    class: 'not-mine',
    message: 'The version of the attestation report is not 2, 3, 4 or 5.',
    next: 'Update Fastness if the firmware is newer than this verifier.',
  },
  SNP_REPORT_PADDING: { class: 'invalid', message: 'Bytes that no signature covers are not zero.', next: recollect },
  SNP_CERT_TABLE_MALFORMED: {
    class: 'invalid',
    message: 'The certificate table of the extended report is malformed.',
    next: 'Ask the host operator for a certificate table that follows the GHCB specification.',
  },

  // authenticate: what the report says about its signature
  SNP_SIGNATURE_ALGORITHM: {
    class: 'invalid',
    message: 'The report is not signed with ECDSA P-384 and SHA-384.',
    next: recollect,
  },
  SNP_SIGNING_KEY_UNSUPPORTED: {
    class: 'invalid',
    message: 'The report says that neither a VCEK nor a VLEK signed it.',
    next: 'Have the host enable attestation signing for the guest.',
  },
  SNP_CHIP_KEY_MASKED: {
    class: 'denied',
    message: 'The host masks the chip key, so the report is not signed by the chip.',
    next: 'Have the host turn MASK_CHIP_KEY off.',
  },

  // authenticate: which certificates
  SNP_LEAF_MISSING: {
    class: 'unavailable',
    message: 'No VCEK or VLEK certificate came with the evidence or its endorsements.',
    next: refetch,
  },
  SNP_LEAF_KIND_MISMATCH: {
    class: 'invalid',
    message: 'The kind of the leaf certificate is not the kind of key that the report names.',
    next: refetch,
  },
  SNP_INTERMEDIATE_MISSING: {
    class: 'unavailable',
    message: 'The ASK or ASVK certificate that issued the leaf is missing.',
    next: refetch,
  },
  SNP_INTERMEDIATE_KIND_MISMATCH: {
    class: 'invalid',
    message: 'The leaf was not issued under the intermediate of its own kind and product.',
    next: refetch,
  },
  SNP_ARK_MISSING: {
    class: 'unavailable',
    message: 'The AMD root (ARK) certificate that issued the intermediate is missing.',
    next: refetch,
  },
  SNP_ARK_NOT_PINNED: {
    class: 'invalid',
    message: 'The root of the chain is not a pinned root for this type of evidence.',
    next: distrust,
  },
  SNP_ARK_NAME: {
    class: 'invalid',
    message: 'The root certificate is not named after the product it is pinned for.',
    next: distrust,
  },
  SNP_CERTIFICATES_AMBIGUOUS: {
    class: 'invalid',
    message: 'Several different certificates could take the same place in the chain.',
    next: 'Send one leaf and one intermediate.',
  },
  SNP_CERTIFICATE_ALGORITHM: {
    class: 'invalid',
    message: 'A certificate of the chain is not signed with RSA-PSS and SHA-384.',
    next: distrust,
  },
  SNP_CERTIFICATE_EXTENSION: {
    class: 'invalid',
    message: 'A certificate has a critical extension that this verifier does not know.',
    next: 'Update Fastness if AMD introduced the extension.',
  },
  SNP_ARK_CONSTRAINTS: {
    class: 'invalid',
    message: 'The root certificate does not let its key sign certificates and revocation lists.',
    next: distrust,
  },
  SNP_INTERMEDIATE_CONSTRAINTS: {
    class: 'invalid',
    message: 'The intermediate certificate does not let its key sign certificates.',
    next: distrust,
  },
  SNP_LEAF_CONSTRAINTS: {
    class: 'invalid',
    message: 'The leaf certificate claims to be a certificate authority.',
    next: distrust,
  },
  SNP_LEAF_KEY: { class: 'invalid', message: 'The key of the leaf certificate is not a P-384 key.', next: distrust },

  // authenticate: signatures, windows, revocation
  SNP_ARK_SIGNATURE: {
    class: 'invalid',
    message: 'The root certificate is not signed by its own key.',
    next: distrust,
  },
  SNP_INTERMEDIATE_SIGNATURE: {
    class: 'invalid',
    message: 'The root did not sign the intermediate certificate.',
    next: distrust,
  },
  SNP_LEAF_SIGNATURE: {
    class: 'invalid',
    message: 'The intermediate did not sign the leaf certificate.',
    next: distrust,
  },
  SNP_REPORT_SIGNATURE: {
    class: 'invalid',
    message: 'The leaf key did not sign the attestation report.',
    next: distrust,
  },
  SNP_ARK_VALIDITY: {
    class: 'invalid',
    message: 'The root certificate is outside its validity period.',
    next: 'Check the clock of the verifier.',
  },
  SNP_INTERMEDIATE_VALIDITY: {
    class: 'invalid',
    message: 'The intermediate certificate is outside its validity period.',
    next: 'Check the clock of the verifier.',
  },
  SNP_LEAF_VALIDITY: {
    class: 'invalid',
    message: 'The VCEK or VLEK certificate is outside its validity period.',
    next: `Check the clock of the verifier. ${refetch}`,
  },
  SNP_CRL_MISSING: {
    class: 'unavailable',
    message: 'No revocation list of the AMD root came with the evidence or its endorsements.',
    next: 'Fetch the CRL of the product, or waive SNP_CRL_MISSING by name and accept that revoked keys pass.',
  },
  SNP_CRL_ISSUER: {
    class: 'invalid',
    message: 'None of the revocation lists was issued by the root of this chain.',
    next: 'Fetch the CRL of the product that signed the report.',
  },
  SNP_CRL_SIGNATURE: {
    class: 'invalid',
    message: 'The root did not sign the revocation list.',
    next: 'Fetch the CRL again over a path you trust.',
  },
  SNP_CRL_NOT_YET_VALID: {
    class: 'invalid',
    message: 'The revocation list is from the future.',
    next: 'Check the clock of the verifier.',
  },
  SNP_CRL_EXPIRED: {
    class: 'invalid',
    message: 'The revocation list is stale.',
    next: 'Fetch a current CRL, or waive SNP_CRL_EXPIRED by name.',
  },
  SNP_CERTIFICATE_REVOKED: {
    class: 'denied',
    message: 'The AMD root revoked a certificate of the chain.',
    next: 'Do not trust this machine until AMD has issued new certificates for it.',
  },

  // authenticate: the report belongs to the leaf
  SNP_LEAF_EXTENSIONS: {
    class: 'invalid',
    message: 'The AMD extensions of the leaf certificate are missing or malformed.',
    next: refetch,
  },
  SNP_PRODUCT_NAME_MISMATCH: {
    class: 'invalid',
    message: 'The leaf certificate names another product than its root.',
    next: distrust,
  },
  SNP_CPUID_MISMATCH: {
    class: 'invalid',
    message: 'The CPUID family and model of the report belong to another product than the root.',
    next: distrust,
  },
  SNP_TCB_CERTIFICATE_MISMATCH: {
    class: 'invalid',
    message: 'The reported TCB is not the TCB that the leaf certificate was issued for.',
    next: 'Fetch the VCEK for the reported TCB, not for the current or committed one.',
  },
  SNP_HWID_MISMATCH: {
    class: 'invalid',
    message: 'The chip id of the report is not the chip that the VCEK was issued for.',
    next: refetch,
  },
  SNP_CSP_ID_MISSING: {
    class: 'invalid',
    message: 'The VLEK certificate does not name a cloud provider.',
    next: refetch,
  },
  SNP_VLEK_CHIP_ID: {
    class: 'invalid',
    message: 'A report signed by a VLEK carries a chip id, which nothing certifies.',
    next: 'Have the host mask the chip id, or waive SNP_VLEK_CHIP_ID by name; the chip id is then ignored.',
  },
} as const satisfies Record<string, ErrorFacts>);
