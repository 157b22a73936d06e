import type { ErrorFacts } from './class.ts';

const recollect = 'Collect a fresh quote; if it persists, the platform or the path to it is damaged or forged.';
const refetch = "Fetch the collateral of this platform from Intel's PCS or your PCCS again.";

/** Codes of Intel quotes and their collateral (DCAP), shared by TDX and SGX, in the order in which the checks run. */
export const dcapErrors = Object.freeze({
  DCAP_QUOTE_MALFORMED: {
    class: 'invalid',
    message: 'The quote does not have the shape that its own fields promise.',
    next: recollect,
  },
  DCAP_QUOTE_VERSION: {
    class: 'invalid',
    message: 'The quote has a version that this verifier does not read for this TEE.',
    next: 'Quotes of version 4 and 5 are read for TDX, version 3 for SGX.',
  },
  DCAP_KEY_TYPE: {
    class: 'invalid',
    message: 'The quote is not signed with ECDSA over P-256.',
    next: recollect,
  },
  DCAP_TEE_TYPE: {
    class: 'invalid',
    message: 'The quote is of another kind of TEE than its media type says.',
    next: 'Send the quote under the media type of its TEE.',
  },
  DCAP_QE_VENDOR: {
    class: 'invalid',
    message: "The quote does not come from Intel's quoting enclave.",
    next: "Only quotes of Intel's own quoting enclaves are read.",
  },
  DCAP_BODY_TYPE: {
    class: 'invalid',
    message: 'The quote holds a body of an unknown kind or size.',
    next: recollect,
  },
  DCAP_QUOTE_TRAILING: {
    class: 'invalid',
    message: 'Bytes other than zero follow the signature data of the quote.',
    next: 'Send the quote as the driver returned it; nothing signs what follows it.',
  },
  DCAP_CERTIFICATION_TYPE: {
    class: 'invalid',
    message: 'The quote does not carry its PCK certificate chain.',
    next: 'Configure the quote generation service to embed the chain (certification data type 5).',
  },
  DCAP_PCK_CHAIN: {
    class: 'invalid',
    message: 'The quote does not carry a PCK certificate, its issuer and the root.',
    next: recollect,
  },
  DCAP_ROOT_NOT_PINNED: {
    class: 'invalid',
    message: 'The certificate chain of the quote ends in a key that is not a pinned Intel root.',
    next: 'Treat the quote as forged: a root with the right name proves nothing.',
  },
  DCAP_PCK_ISSUER: {
    class: 'invalid',
    message: 'The quote is not signed by a PCK certificate of a PCK platform or processor CA.',
    next: recollect,
  },
  DCAP_PCK_IS_CA: {
    class: 'invalid',
    message: 'The PCK certificate is an authority.',
    next: recollect,
  },
  DCAP_ROOT_SIGNATURE: {
    class: 'invalid',
    message: 'The root certificate does not carry its own signature.',
    next: recollect,
  },
  DCAP_PCK_ISSUER_SIGNATURE: {
    class: 'invalid',
    message: 'The root did not sign the PCK CA.',
    next: recollect,
  },
  DCAP_PCK_SIGNATURE: {
    class: 'invalid',
    message: 'The PCK CA did not sign the PCK certificate.',
    next: recollect,
  },
  DCAP_QE_REPORT_SIGNATURE: {
    class: 'invalid',
    message: 'The PCK did not sign the report of the quoting enclave.',
    next: recollect,
  },
  DCAP_QUOTE_SIGNATURE: {
    class: 'invalid',
    message: 'The attestation key did not sign the quote.',
    next: recollect,
  },
  DCAP_QE_REPORT_DATA: {
    class: 'invalid',
    message: 'The report of the quoting enclave does not vouch for the attestation key.',
    next: recollect,
  },
  DCAP_CERTIFICATE_VALIDITY: {
    class: 'invalid',
    message: 'A certificate is not valid at the time of verification.',
    next: 'Check the clock; renew the PCK certificate and the collateral of the platform.',
  },
  DCAP_PCK_EXTENSION: {
    class: 'invalid',
    message: 'The PCK certificate does not describe its platform as Intel specifies.',
    next: recollect,
  },
  DCAP_COLLATERAL_MISSING: {
    class: 'invalid',
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
    class: 'invalid',
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
} as const satisfies Record<string, ErrorFacts>);
