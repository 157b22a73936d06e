import type { PlatformIdentity } from './base.ts';
import type { QuoteClaims } from './tpm.ts';

/** An instance of Google Compute Engine, as Google certified it. Numbers are decimal text. */
export interface GceInstance {
  readonly zone: string;
  readonly projectNumber: string;
  readonly projectId: string;
  readonly instanceId: string;
  readonly instanceName: string;
  /** Security version of the virtual TPM; Google says nothing of its meaning. */
  readonly securityVersion: string;
}

/**
 * Facts about the virtual TPM of an instance of Google Compute Engine. Nothing says that the instance is confidential:
 * Google's hypervisor and its operators could read its memory and its TPM. JSON-safe.
 */
export interface GcpVtpmClaims extends QuoteClaims {
  readonly tee: 'gcp-vtpm';
  readonly vendor: 'Google';
  readonly debug: false;
  /** projects/<project id>/zones/<zone>/instances/<instance id>. */
  readonly identity: PlatformIdentity & { readonly kind: 'gce-instance' };
  readonly instance: GceInstance;
}
