/**
 * Media types of evidence and endorsements. The type of the evidence decides which roots may vouch for it, so simulated
 * evidence has a type of its own: it can never be mistaken for evidence of hardware, nor the other way round.
 */

/** AMD SEV-SNP evidence: CBOR map {1: report (1184 bytes), ? 2: [certificate DER, ...]}. */
export const SNP_EVIDENCE_TYPE = 'application/vnd.fastness.sev-snp+cbor';

/** Evidence of the simulated TEE, with the content of {@link SNP_EVIDENCE_TYPE}. No hardware stands behind it. */
export const SIMULATED_SNP_EVIDENCE_TYPE = 'application/vnd.fastness.simulated-sev-snp+cbor';

/** Endorsements of SEV-SNP evidence: CBOR map {? 1: [certificate DER, ...], ? 2: [CRL DER, ...]}. Untrusted transport. */
export const SNP_ENDORSEMENTS_TYPE = 'application/vnd.fastness.sev-snp-endorsements+cbor';

/** What Veraison's collectors send: JSON {provider, outblob, ? auxblob}, the blobs of Linux's configfs-tsm in base64url. */
export const TSM_REPORT_TYPE = 'application/vnd.veraison.tsm-report+json';
