import type { ErrorCode } from '@fastness/codec/errors';

const psa = 'psa/veraison__services/scheme/psa-iot/test/corim/corim-psa';
const cca = 'cca/veraison__services/scheme/arm-cca/test/corim/corim-cca';

/** Recorded manifests, and what becomes of them; those of other projects' test suites are unsigned. */
export const corimCases: readonly (readonly [file: string, verdict: 'good' | ErrorCode])[] = [
  [`${psa}-valid.cbor`, 'good'],
  [`${psa}-bad-class.cbor`, 'CORIM_CLASS'],
  [`${psa}-bad-instance.cbor`, 'CORIM_INSTANCE'],
  [`${psa}-bad-ta-no-instance.cbor`, 'CORIM_INSTANCE'],
  [`${psa}-bad-ta-cert.cbor`, 'CORIM_KEY'],
  [`${psa}-bad-refval-instance.cbor`, 'CORIM_INSTANCE'],
  [`${psa}-bad-refval-mkey.cbor`, 'CORIM_MKEY'],
  [`${psa}-bad-refval-mval.cbor`, 'CORIM_DIGESTS'],
  [`${cca}-platform-valid.cbor`, 'good'],
  [`${cca}-platform-bad-no-class.cbor`, 'CORIM_CLASS'],
  [`${cca}-platform-bad-ta-instance.cbor`, 'CORIM_INSTANCE'],
  [`${cca}-platform-bad-ta-no-instance.cbor`, 'CORIM_INSTANCE'],
  [`${cca}-platform-bad-ta-cert.cbor`, 'CORIM_KEY'],
  [`${cca}-platform-bad-refval-cryptokeys.cbor`, 'CORIM_SIGNER_ID'],
  // Its profile is that of an older draft; so are its identifiers, which are never read.
  [`${cca}-platform-bad-refval-instance.cbor`, 'CORIM_PROFILE_UNKNOWN'],
  [`${cca}-platform-bad-refval-mkey-string.cbor`, 'CORIM_MKEY'],
  [`${cca}-platform-bad-refval-mkey.cbor`, 'CORIM_MKEY'],
  [`${cca}-platform-bad-refval-no-mkey.cbor`, 'CORIM_MKEY'],
  [`${cca}-platform-bad-refval-no-digests.cbor`, 'CORIM_DIGESTS'],
  [`${cca}-platform-bad-refval-no-raw-value.cbor`, 'CORIM_RAW_VALUE'],
  [`${cca}-realm-valid.cbor`, 'good'],
  [`${cca}-realm-bad-instance.cbor`, 'CORIM_CLASS'],
  [`${cca}-realm-bad-no-instance.cbor`, 'CORIM_CLASS'],
  [`${cca}-realm-bad-no-integ-regs.cbor`, 'CORIM_DIGESTS'],
  [`${cca}-realm-bad-no-raw-value.cbor`, 'CORIM_RAW_VALUE'],
  [`${cca}-realm-bad-no-rim.cbor`, 'CORIM_RIM'],
];

/** Folders whose manifests the table covers, file by file. */
export const corimFolders = [psa, cca].map((prefix) => prefix.slice(0, prefix.lastIndexOf('/')));
