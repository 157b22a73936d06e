import type { ErrorFacts } from './class.ts';

const recollect = 'Ask the device for a new report; if it persists, the report is forged or was damaged on the way.';
const distrust =
  'Do not trust this device: the report is forged or was assembled from parts that do not belong together.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;
const notMine = (message: string, next: string) => ({ class: 'not-mine', message, next }) as const;

/** Codes of NVIDIA attestation reports and their device certificates, in the order in which the checks run. */
export const nvidiaReportErrors = Object.freeze({
  // parse: the certificates
  NVIDIA_CHAIN_LENGTH: invalid('The device chain does not have five certificates, leaf first.', recollect),
  NVIDIA_DEVICE_NAME: invalid('The leaf does not name its device as NVIDIA:<chip>:<id>.', distrust),
  NVIDIA_KIND_MISMATCH: notMine(
    'The report comes from another kind of device (GPU or NVSwitch) than its media type says, or from an unknown chip.',
    'Send reports under the media type of their device; update Fastness for newer chips.',
  ),

  // parse: the SPDM messages
  NVIDIA_MESSAGE_SIZE: invalid('The attestation report is larger than a device makes them.', recollect),
  NVIDIA_REQUEST: invalid(
    'The report does not begin with an SPDM 1.1 request for all measurements, signed, from slot 0.',
    recollect,
  ),
  NVIDIA_RESPONSE: invalid('The report does not hold an SPDM 1.1 response with measurements.', recollect),
  NVIDIA_MEASUREMENT_RECORD: invalid('The measurement record of the report does not follow its format.', recollect),
  NVIDIA_OPAQUE_FIELD: invalid('A field of the opaque data occurs twice or is cut short.', recollect),
  NVIDIA_OPAQUE_UNKNOWN: notMine(
    'The opaque data of the report has a version or a field that this verifier does not know.',
    'Update Fastness; ignoring what a newer device says about itself would be unsafe.',
  ),
  NVIDIA_FIELD_MISSING: invalid('The report lacks a field that its verification needs.', recollect),
  NVIDIA_FIELD_VALUE: invalid('A field of the report holds a value that it cannot have.', recollect),
  NVIDIA_TRAILING: invalid('Bytes follow the signature of the report.', recollect),

  // authenticate: the device
  NVIDIA_ROOT_NOT_PINNED: invalid(
    'The last certificate of the device chain does not hold a pinned root key.',
    distrust,
  ),
  NVIDIA_CHAIN_NAMES: invalid('A certificate of the device chain was not issued by the next one.', distrust),
  NVIDIA_CERTIFICATE_KEY: invalid('A certificate of the device chain does not hold a P-384 key.', distrust),
  NVIDIA_CERTIFICATE_ALGORITHM: invalid(
    'A certificate of the device chain is not signed with ECDSA and SHA-384.',
    distrust,
  ),
  NVIDIA_CERTIFICATE_EXTENSION: notMine(
    'A certificate has a critical extension that this verifier does not know.',
    'Update Fastness; guessing what the extension means would be unsafe.',
  ),
  NVIDIA_AUTHORITY_CONSTRAINTS: invalid('A certificate above the leaf may not issue certificates.', distrust),
  NVIDIA_PATH_LENGTH: invalid('The device chain is longer than an authority in it permits.', distrust),
  NVIDIA_LEAF_CONSTRAINTS: invalid('The leaf may not sign reports, or is an authority.', distrust),
  NVIDIA_ROOT_SIGNATURE: invalid('The root certificate is not signed by its own key.', distrust),
  NVIDIA_INTERMEDIATE_SIGNATURE: invalid('A certificate above the leaf is not signed by its issuer.', distrust),
  NVIDIA_LEAF_SIGNATURE: invalid("The leaf is not signed by the device's own key.", distrust),
  NVIDIA_REPORT_SIGNATURE: invalid('The report is not signed by the leaf.', distrust),
  NVIDIA_CERTIFICATE_VALIDITY: invalid(
    'A certificate of the device chain is not valid at this time.',
    'Check the clock of this machine; device certificates do not expire.',
  ),
  NVIDIA_FWID_MISSING: invalid('The leaf does not state one firmware identity (FWID) in a form known here.', distrust),
  NVIDIA_FWID_ABSENT: denied(
    'The report of the GPU does not state its firmware identity.',
    'Update the driver (550 and later state it), or waive NVIDIA_FWID_ABSENT by name.',
  ),
  NVIDIA_FWID_MISMATCH: invalid('The firmware identity in the report is not the one in the leaf.', distrust),
} as const satisfies Record<string, ErrorFacts>);
