/**
 * Checks of NVIDIA reports that a policy may waive by name.
 *
 * - NVIDIA_FWID_ABSENT: drivers before 550 do not put the firmware identity into the report. That the leaf was made for the
 *   firmware which made the report then rests on the leaf's key alone.
 * - NVIDIA_RIM_MISSING: NVIDIA never published some documents, and there may be no path to the service. Nothing vouches for
 *   driver, firmware or both; their measurements are in the claims and say nothing by themselves.
 * - NVIDIA_RIM_VALIDITY: documents are signed anew before they expire, and old copies stay around. Whoever got hold of a
 *   signing key after its certificate ended could have made the document.
 * - NVIDIA_OCSP_MISSING: no path to the responder. Nobody knows whether NVIDIA still vouches for the device and the documents.
 * - NVIDIA_OCSP_EXPIRED: the same, since the date of the response.
 * - NVIDIA_CERTIFICATE_HOLD: NVIDIA suspends devices and documents while it looks into a problem.
 * - NVIDIA_SETTINGS_ABSENT: collectors of others do not ask the driver. Whether confidential computing is on and developer
 *   tools are off is unknown.
 * - NVIDIA_DEVTOOLS: for development. The GPU can be inspected.
 * - NVIDIA_MEASUREMENT_UNCOVERED: newer firmware measures things before NVIDIA lists them. Nobody vouches for these.
 */
export const nvidiaWaivableChecks = Object.freeze([
  'NVIDIA_FWID_ABSENT',
  'NVIDIA_RIM_MISSING',
  'NVIDIA_RIM_VALIDITY',
  'NVIDIA_OCSP_MISSING',
  'NVIDIA_OCSP_EXPIRED',
  'NVIDIA_CERTIFICATE_HOLD',
  'NVIDIA_SETTINGS_ABSENT',
  'NVIDIA_DEVTOOLS',
  'NVIDIA_MEASUREMENT_UNCOVERED',
] as const);

export type NvidiaWaivableCheck = (typeof nvidiaWaivableChecks)[number];
