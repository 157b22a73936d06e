import type { PlatformIdentity } from './base.ts';
import type { TdxClaims } from './dcap.ts';
import type { SnpClaims } from './snp.ts';
import type { QuoteClaims } from './tpm.ts';

/**
 * Facts about a confidential VM of Azure: its virtual TPM, and the hardware below that vouches for it. The paravisor, which
 * holds the TPM inside the confidential VM, is Microsoft's; the hardware's measurement covers it. JSON-safe.
 */
export interface AzureVtpmClaims extends QuoteClaims {
  readonly tee: 'azure-vtpm';
  readonly vendor: 'Microsoft';
  /** Whether the host can look inside: as the hardware says. */
  readonly debug: boolean;
  /** The VM's unique id, as the paravisor states it. */
  readonly identity: PlatformIdentity & { readonly kind: 'vm-id' };
  readonly vmId: string;
  /** Whether Secure Boot is configured; what it admitted is in PCR7. */
  readonly secureBoot: boolean;
  /** Whether the serial console is connected. Absent: the paravisor does not say. */
  readonly consoleEnabled?: boolean;
  /** Whether the TPM keeps its state when the VM is stopped. Absent: the paravisor does not say. */
  readonly tpmPersisted?: boolean;
  /** What the guest wrote for its report, hex. Absent: the paravisor does not say. */
  readonly userData?: string;
  /** Common name of the certificate that Azure issued for the attestation key. Absent: the policy needs none. */
  readonly akCertificate?: string;
  /** What was verified about the hardware; its report data is the hash of the runtime data. */
  readonly hardware: SnpClaims | TdxClaims;
}
