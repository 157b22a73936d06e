import type { ErrorFacts } from './class.ts';

const recollect = 'Collect a fresh quote; if it persists, the platform or the path to it is damaged or forged.';

/** Codes of Intel quotes (DCAP), shared by TDX and SGX, in the order in which the checks run. */
export const dcapQuoteErrors = Object.freeze({
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
    message: 'The quote carries certification data of a type that is not read.',
    next: 'Configure the quote generation service to embed the chain (type 5), or to name the PCK certificate (types 1 to 3).',
  },
  DCAP_PCK_MISSING: {
    class: 'unavailable',
    message: 'The quote names its PCK certificate and does not carry it, and none was handed in.',
    next: 'Fetch the certificate from your PCCS and send it with its issuer and the root as pckCertificateChain of the collateral.',
  },
  DCAP_PCK_CHAIN: {
    class: 'invalid',
    message: 'The chain is not a PCK certificate, its issuer and the root.',
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
  DCAP_PCK_PPID_MISMATCH: {
    class: 'invalid',
    message: 'The PCK certificate that was handed in is of another platform than the quote names.',
    next: 'Fetch the PCK certificate for the PPID in the quote.',
  },
  DCAP_PCK_TCB_MISMATCH: {
    class: 'invalid',
    message: 'The PCK certificate that was handed in is for another TCB or PCE than the quote names.',
    next: 'Fetch the PCK certificate for the CPUSVN, PCESVN and PCEID in the quote.',
  },
} as const satisfies Record<string, ErrorFacts>);
