import type { ErrorFacts } from './class.ts';

const recollect =
  'Read the report again from NV index 0x01400001 of the TPM; if it persists, it is forged or was damaged on the way.';
const distrust =
  'Do not trust this machine: the evidence is forged or was assembled from parts that do not belong together.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;
const notMine = (message: string, next: string) => ({ class: 'not-mine', message, next }) as const;

/** Codes of confidential VMs of Azure, beside those of quotes and of the hardware, in the order in which the checks run. */
export const azureVtpmErrors = Object.freeze({
  // parse
  AZURE_VTPM_HCL_SIZE: invalid('The sizes in the report of the paravisor do not agree with each other.', recollect),
  AZURE_VTPM_HCL_SIGNATURE: invalid('The report does not begin as a report of the paravisor does.', recollect),
  AZURE_VTPM_HCL_VERSION: notMine(
    'The report of the paravisor is of a version that this verifier does not read.',
    'Update Fastness.',
  ),
  AZURE_VTPM_HASH: notMine(
    'The runtime data is bound with another hash than SHA-256.',
    'Update Fastness, or run on a VM whose paravisor uses SHA-256.',
  ),
  AZURE_VTPM_HCL_PADDING: invalid('Other bytes than zeros follow the runtime data.', recollect),
  AZURE_VTPM_RUNTIME_DATA: invalid(
    'The runtime data is no JSON with the attestation key and the configuration of the VM.',
    recollect,
  ),
  AZURE_VTPM_HARDWARE_UNKNOWN: notMine(
    'The report of the paravisor is not about SEV-SNP or TDX.',
    'Run on a confidential VM; trusted launch without confidential hardware has no such report.',
  ),
  AZURE_VTPM_TD_QUOTE: invalid(
    'A TD quote is missing with TDX, or was sent with SEV-SNP.',
    "Let Azure's quoting service turn the TDREPORT into a quote, and send it with TDX alone.",
  ),
  AZURE_VTPM_TD_REPORT_MISMATCH: invalid('The TD quote is not about the TDREPORT of the paravisor.', distrust),

  // authenticate
  AZURE_VTPM_RUNTIME_DATA_MISMATCH: invalid(
    "The hardware's report does not carry the hash of the runtime data.",
    distrust,
  ),
  AZURE_VTPM_AK_MISSING: denied(
    'The policy needs a certificate of the attestation key, and none was sent.',
    'Send the certificate in NV index 0x01c101d0 of the TPM and those above it, or do not require it.',
  ),
  AZURE_VTPM_AK_MISMATCH: invalid(
    'The certificate is not of the attestation key that the runtime data names.',
    distrust,
  ),

  // appraise
  AZURE_VTPM_SECURE_BOOT_OFF: denied(
    'Secure Boot is not configured for the VM.',
    "Enable Secure Boot, or set policy.azureVtpm.secureBoot to 'any'.",
  ),
  AZURE_VTPM_VM_NOT_ALLOWED: denied(
    'The VM is not on the list of allowed VMs.',
    'Add its unique id to policy.azureVtpm.vms.allow, or run on a listed one.',
  ),
  AZURE_VTPM_VM_DENIED: denied('The VM is on the list of denied VMs.', 'Run on another VM.'),
} as const satisfies Record<string, ErrorFacts>);
