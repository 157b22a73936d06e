import { amdRoots } from './amd.ts';
import type { TrustAnchors } from './anchors.ts';
import { intelRoots } from './intel.ts';
import { nitroRoots } from './aws.ts';
import { nvidiaDeviceRoots, nvidiaRimRoots } from './nvidia.ts';
import { azureVtpmRoots } from './azure.ts';
import { gcpVtpmRoots } from './google.ts';
import { androidAnchors } from './google-android.ts';
import { tokenRoots } from './tokens.ts';

/** The pinned roots of every vendor, in the form that the verifier takes. */
export const vendorAnchors: Readonly<Required<TrustAnchors>> = Object.freeze({
  snp: amdRoots,
  intel: intelRoots,
  nitro: nitroRoots,
  nvidiaDevices: nvidiaDeviceRoots,
  nvidiaRims: nvidiaRimRoots,
  gcpVtpm: gcpVtpmRoots,
  azureVtpm: azureVtpmRoots,
  tokens: tokenRoots,
  ...androidAnchors,
});
