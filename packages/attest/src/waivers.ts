import { armCcaWaivableChecks } from './formats/arm-cca/waivable.ts';
import { armPsaWaivableChecks } from './formats/arm-psa/waivable.ts';
import { androidKeyWaivableChecks } from './formats/android-key/waivable.ts';
import { azureMaaWaivableChecks } from './formats/azure-maa/waivable.ts';
import { gcpConfidentialSpaceWaivableChecks } from './formats/gcp-confidential-space/waivable.ts';
import { intelTrustAuthorityWaivableChecks } from './formats/intel-trust-authority/waivable.ts';
import { nvidiaNrasWaivableChecks } from './formats/nvidia-nras/waivable.ts';
import { nitroWaivableChecks } from './formats/nitro/waivable.ts';
import { nvidiaWaivableChecks } from './formats/nvidia/waivable.ts';
import { dcapWaivableChecks } from './formats/dcap/waivable.ts';
import { sgxWaivableChecks } from './formats/sgx/waivable.ts';
import { snpWaivableChecks } from './formats/snp/waivable.ts';
import { tokenWaivableChecks } from './formats/token/waivable.ts';
import { tdxWaivableChecks } from './formats/tdx/waivable.ts';
import { tpmWaivableChecks } from './formats/tpm/waivable.ts';
import type { PolicySectionName } from './tees.ts';

/**
 * Checks that a policy may waive by name; each format lists its own and says what is lost. The set is short on purpose: a
 * check is in it only where a legitimate deployment can lack what the check needs (no network path to the CRL, a debugging
 * session, a provider that does not mask chip ids). Forgery, damage and mismatch can never be waived; what a policy field
 * expresses needs no waiver.
 */
export const waivableChecks = Object.freeze([
  ...snpWaivableChecks,
  ...dcapWaivableChecks,
  ...tdxWaivableChecks,
  ...sgxWaivableChecks,
  ...nitroWaivableChecks,
  ...nvidiaWaivableChecks,
  ...tpmWaivableChecks,
  ...androidKeyWaivableChecks,
  ...tokenWaivableChecks,
  ...azureMaaWaivableChecks,
  ...intelTrustAuthorityWaivableChecks,
  ...gcpConfidentialSpaceWaivableChecks,
  ...nvidiaNrasWaivableChecks,
  ...armPsaWaivableChecks,
  ...armCcaWaivableChecks,
] as const);

/** Which of them a section of a policy is about: what a waiver can name beside evidence of these kinds. */
export const waivableChecksOf: Readonly<Record<PolicySectionName, readonly WaivableCheck[]>> = Object.freeze({
  snp: snpWaivableChecks,
  tdx: Object.freeze([...dcapWaivableChecks, ...tdxWaivableChecks]),
  sgx: Object.freeze([...dcapWaivableChecks, ...sgxWaivableChecks]),
  nitro: nitroWaivableChecks,
  nitroTpm: nitroWaivableChecks,
  nvidiaGpu: nvidiaWaivableChecks,
  nvidiaNvswitch: nvidiaWaivableChecks,
  tpm: Object.freeze([]),
  gcpVtpm: tpmWaivableChecks,
  azureVtpm: Object.freeze([...tpmWaivableChecks, ...snpWaivableChecks, ...dcapWaivableChecks, ...tdxWaivableChecks]),
  androidKey: androidKeyWaivableChecks,
  azureMaa: Object.freeze([...tokenWaivableChecks, ...azureMaaWaivableChecks]),
  intelTrustAuthority: Object.freeze([...tokenWaivableChecks, ...intelTrustAuthorityWaivableChecks]),
  gcpConfidentialSpace: Object.freeze([...tokenWaivableChecks, ...gcpConfidentialSpaceWaivableChecks]),
  nvidiaNras: Object.freeze([...tokenWaivableChecks, ...nvidiaNrasWaivableChecks]),
  armPsa: armPsaWaivableChecks,
  armCca: armCcaWaivableChecks,
});

export type WaivableCheck = (typeof waivableChecks)[number];

/** A waiver as a policy states it. */
export interface Waiver {
  readonly check: WaivableCheck;
  /** Why the check is waived; ends up in the attestation result for its reader. */
  readonly reason: string;
}

/** What `verifyRecordedEvidence` leaves out; no policy can name it. */
export const BINDING_UNCHECKED = 'ATTEST_BINDING_UNCHECKED';

/** A waiver that let evidence pass that would have been refused. A waiver that was not needed is not reported. */
export interface AppliedWaiver extends Omit<Waiver, 'check'> {
  readonly check: WaivableCheck | typeof BINDING_UNCHECKED;
  /** What the check would have required. */
  readonly expected: string;
  /** What the evidence held instead. */
  readonly actual: string;
  /** The part of a collection that it is about. Absent: there is one piece of evidence. */
  readonly part?: string;
}
