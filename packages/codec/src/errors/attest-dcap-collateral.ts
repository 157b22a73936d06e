import type { ErrorFacts } from './class.ts';

const recollect = 'Collect a fresh quote; if it persists, the platform or the path to it is damaged or forged.';
const refetch = "Fetch the collateral of this platform from Intel's PCS or your PCCS again.";

/** Codes of Intel's collateral and of the TCB that it assesses, shared by TDX and SGX, in the order of the checks. */
export const dcapCollateralErrors = Object.freeze({
  DCAP_COLLATERAL_MISSING: {
    class: 'unavailable',
    message: 'No collateral came with the quote, so nobody knows what the platform runs.',
    next: 'Send TCB info, QE identity and revocation lists as an endorsement.',
  },
  DCAP_COLLATERAL_MALFORMED: {
    class: 'invalid',
    message: "The collateral does not follow the format of Intel's PCS.",
    next: refetch,
  },
  DCAP_TCB_SIGNER: {
    class: 'invalid',
    message: "TCB info or QE identity was not signed by Intel's TCB signing certificate.",
    next: refetch,
  },
  DCAP_TCB_ROOT_MISMATCH: {
    class: 'invalid',
    message: 'The collateral ends in another root than the quote.',
    next: refetch,
  },
  DCAP_CRL_MISSING: {
    class: 'unavailable',
    message: 'A revocation list is missing.',
    next: 'Send the lists of the root CA and of the PCK CA; waive DCAP_CRL_MISSING only if revocation is checked elsewhere.',
  },
  DCAP_CRL_ISSUER: {
    class: 'invalid',
    message: 'A revocation list is of another authority.',
    next: 'Fetch the list of the CA that issued the PCK certificate (platform or processor), and that of the root CA.',
  },
  DCAP_TCB_SIGNER_SIGNATURE: {
    class: 'invalid',
    message: 'The root did not sign the TCB signing certificate.',
    next: refetch,
  },
  DCAP_CRL_SIGNATURE: {
    class: 'invalid',
    message: 'A revocation list is not signed by its authority.',
    next: refetch,
  },
  DCAP_TCB_INFO_SIGNATURE: {
    class: 'invalid',
    message: 'Intel did not sign the TCB info, byte for byte.',
    next: 'Keep the answer of the PCS as it came: parsed and written again, it loses its signature.',
  },
  DCAP_QE_IDENTITY_SIGNATURE: {
    class: 'invalid',
    message: 'Intel did not sign the QE identity, byte for byte.',
    next: 'Keep the answer of the PCS as it came: parsed and written again, it loses its signature.',
  },
  DCAP_CRL_NOT_YET_VALID: {
    class: 'invalid',
    message: 'A revocation list is from the future.',
    next: 'Check the clock.',
  },
  DCAP_CRL_EXPIRED: {
    class: 'invalid',
    message: 'A revocation list has expired.',
    next: refetch,
  },
  DCAP_CERTIFICATE_REVOKED: {
    class: 'denied',
    message: 'A certificate is revoked.',
    next: 'Do not trust this platform; find out why Intel revoked it.',
  },
  DCAP_TCB_INFO_KIND: {
    class: 'invalid',
    message: 'The TCB info is of another TEE, or of a version that is not understood.',
    next: 'Fetch TCB info of version 3 for this TEE from version 4 of the PCS.',
  },
  DCAP_TCB_INFO_OUTDATED: {
    class: 'denied',
    message: 'The TCB info is of version 2, which Intel no longer serves.',
    next: 'Fetch TCB info of version 3 from version 4 of the PCS; waive DCAP_TCB_INFO_OUTDATED only for samples and archives.',
  },
  DCAP_QE_IDENTITY_KIND: {
    class: 'invalid',
    message: 'The QE identity is of another enclave, or of a version that is not understood.',
    next: 'Fetch the identity of the QE for SGX, of the TD QE for TDX.',
  },
  DCAP_TCB_INFO_WINDOW: {
    class: 'invalid',
    message: 'The TCB info is not valid at the time of verification.',
    next: refetch,
  },
  DCAP_QE_IDENTITY_WINDOW: {
    class: 'invalid',
    message: 'The QE identity is not valid at the time of verification.',
    next: refetch,
  },
  DCAP_FMSPC_MISMATCH: {
    class: 'invalid',
    message: 'The TCB info is of another kind of platform (FMSPC).',
    next: refetch,
  },
  DCAP_PCE_ID_MISMATCH: {
    class: 'invalid',
    message: 'The TCB info is of another provisioning certification enclave.',
    next: refetch,
  },
  DCAP_QE_MRSIGNER: {
    class: 'invalid',
    message: 'The quoting enclave has another signer than the QE identity says.',
    next: recollect,
  },
  DCAP_QE_PRODUCT: {
    class: 'invalid',
    message: 'The quoting enclave is another product than the QE identity says.',
    next: recollect,
  },
  DCAP_QE_MISCSELECT: {
    class: 'invalid',
    message: 'The quoting enclave has other MISCSELECT bits than the QE identity says.',
    next: recollect,
  },
  DCAP_QE_ATTRIBUTES: {
    class: 'invalid',
    message: 'The quoting enclave has other attributes than the QE identity says, for instance debug.',
    next: recollect,
  },
  DCAP_QE_TCB_UNKNOWN: {
    class: 'invalid',
    message: 'The quoting enclave is older than every level of its identity.',
    next: 'Update the SGX platform software.',
  },
  DCAP_TCB_LEVEL_UNKNOWN: {
    class: 'denied',
    message: 'The platform reaches none of the TCB levels that Intel lists.',
    next: 'Update BIOS, microcode and TDX module, then renew the PCK certificate.',
  },
  DCAP_TCB_REVOKED: {
    class: 'denied',
    message: 'The TCB of the platform is revoked.',
    next: 'Update the platform; keys it held must be considered lost.',
  },
  DCAP_TCB_STATUS_NOT_ALLOWED: {
    class: 'denied',
    message: 'The status of the TCB is not one that the policy accepts.',
    next: 'Update or reconfigure the platform as the advisories say, or accept the status in the policy.',
  },
  DCAP_ADVISORY_NOT_ALLOWED: {
    class: 'denied',
    message: 'The TCB is subject to an advisory that the policy does not accept.',
    next: 'Update the platform, or read the advisory and list it in the policy.',
  },
  DCAP_TCB_EVALUATION_LOW: {
    class: 'denied',
    message: 'The collateral is of an older TCB recovery than the policy asks for.',
    next: "Fetch the collateral with update=early or standard, as your policy's floor needs.",
  },
  DCAP_FMSPC_NOT_ALLOWED: {
    class: 'denied',
    message: 'The policy does not allow this kind of platform (FMSPC).',
    next: 'Run on an allowed platform.',
  },
  DCAP_PPID_NOT_ALLOWED: {
    class: 'denied',
    message: 'The policy does not allow this platform (PPID).',
    next: 'Run on an allowed platform.',
  },
  DCAP_FMSPC_DENIED: {
    class: 'denied',
    message: 'The policy refuses this type of platform (FMSPC) by name.',
    next: 'Run on another type of platform; take it out of fmspcs.deny only if you know why it was denied.',
  },
  DCAP_PPID_DENIED: {
    class: 'denied',
    message: 'The policy refuses this platform (PPID) by name.',
    next: 'Run on another machine; take it out of ppids.deny only if you know why it was denied.',
  },
} as const satisfies Record<string, ErrorFacts>);
