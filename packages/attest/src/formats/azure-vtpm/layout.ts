/**
 * Layout of the report that Azure's paravisor (HCL) keeps in the virtual TPM of a confidential VM, NV index 0x01400001
 * (Azure documentation, "Guest attestation for confidential VMs", and confidential-computing-cvm-guest-attestation).
 * Little-endian.
 */

/** Text that the report begins with. */
export const HCL_SIGNATURE = 'HCLA';
/** Versions of the header that are read. */
export const HCL_VERSIONS: readonly number[] = Object.freeze([1, 2]);
/** Header: signature, version, size of what is meaningful, request type, status, three reserved words. */
export const HCL_HEADER_BYTES = 32;
/** The area for the hardware's report: an SNP report fills it; a TDREPORT is shorter, and zeros follow. */
export const HARDWARE_BYTES = 1184;
/** Runtime data: size, version, type of report, hash, size of the claims; then the claims. */
export const RUNTIME_HEADER_BYTES = 20;
/** The version of runtime data that is read. */
export const RUNTIME_VERSION = 1;
/** Bytes of an HCL report; the NV index has 2600, and zeros follow the runtime data. */
export const MAX_HCL_BYTES = 8192;
/** Value of the hash field for SHA-256. */
export const SHA256_RUNTIME = 1;

/** A TDREPORT (Intel TDX Module ABI, TDREPORT_STRUCT): where its parts are, in bytes. */
export const TD_REPORT_BYTES = 1024;
/** REPORTTYPE.TYPE of a TD. */
export const TD_REPORT_TYPE = 0x81;
export const TD_REPORT_DATA = Object.freeze({ offset: 128, bytes: 64 });
/** ATTRIBUTES to RTMR3 of TDINFO, which a quote repeats in the same order. */
export const TD_INFO = Object.freeze({ offset: 512, bytes: 400 });

/** Id of the key in the runtime data that signs quotes. */
export const ATTESTATION_KEY_ID = 'HCLAkPub';
