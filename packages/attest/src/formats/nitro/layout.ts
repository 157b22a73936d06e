/** Sizes and names of attestation documents (aws-nitro-enclaves-nsm-api, docs/attestation_process.md, section 3.2.2). */

/** The COSE algorithm of every document: ES384. */
export const ES384 = -35;
/** Bytes of the COSE message: a payload at its limit, headers and a signature. */
export const MAX_DOCUMENT_BYTES = 16_384 + 128;
/** Bytes of the payload. */
export const MAX_PAYLOAD_BYTES = 16_384;
/** Registers are SHA-384 digests: `digest` can say nothing else. */
export const PCR_BYTES = 48;
/** Indexes are 0 to 31. */
export const MAX_PCRS = 32;
/** Bytes of one certificate. */
export const MAX_CERTIFICATE_BYTES = 1024;
/** Certificates above the leaf. AWS sends four; AWS states no bound, and this one limits the work of a refusal. */
export const MAX_AUTHORITIES = 8;
export const MAX_PUBLIC_KEY_BYTES = 1024;
export const MAX_USER_DATA_BYTES = 512;
export const MAX_NONCE_BYTES = 512;
/** Characters of `module_id`; AWS's have less than 50. */
export const MAX_MODULE_ID = 128;

/** What tells the two kinds of documents apart. */
export interface NitroKind {
  readonly tee: 'aws-nitro' | 'aws-nitrotpm';
  /** Section of the policy that speaks for it. */
  readonly section: 'nitro' | 'nitroTpm';
  /** Field of the payload that holds the registers. */
  readonly pcrField: 'pcrs' | 'nitrotpm_pcrs';
  /**
   * Register that identifies the code: PCR0 of an enclave covers its whole image; PCR4 of an instance covers what its
   * firmware booted, which for an Attestable AMI is one unified kernel image. PCR0 and PCR1 of an instance are constants.
   */
  readonly measurementPcr: number;
}

export const nitroKinds: readonly NitroKind[] = Object.freeze([
  Object.freeze({ tee: 'aws-nitro', section: 'nitro', pcrField: 'pcrs', measurementPcr: 0 } as const),
  Object.freeze({ tee: 'aws-nitrotpm', section: 'nitroTpm', pcrField: 'nitrotpm_pcrs', measurementPcr: 4 } as const),
]);
