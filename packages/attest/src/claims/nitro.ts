import type { ClaimsBase } from './base.ts';

/** Facts about a Nitro Enclave or an instance with NitroTPM that were authenticated and that the policy accepts. JSON-safe. */
export interface NitroClaims extends ClaimsBase {
  readonly tee: 'aws-nitro' | 'aws-nitrotpm';
  readonly simulated: false;
  readonly vendor: 'AWS';
  /** The module id: the instance and its enclave or TPM. */
  readonly identity: { readonly kind: 'instance-id'; readonly value: string };
  /** The EC2 instance, where the module id names one in AWS's form. */
  readonly instance?: string;
  /** Enclave: PCR0, which covers the image. NitroTPM: PCR4, which covers what the firmware booted. Hex, 48 bytes. */
  readonly measurement: string;
  /** Every register in the document, by index; hex, 48 bytes each. Those that the policy does not list were not compared. */
  readonly pcrs: Readonly<Record<string, string>>;
  /** Whether PCR0 is zero: an enclave started for debugging, whose console the parent instance reads. */
  readonly debug: boolean;
  /** The field that the policy's `binding` names, hex. It was compared. */
  readonly reportData: string;
  /** What the attester put into `public_key`, hex; AWS expects DER, nobody checks it. Absent: nothing. */
  readonly publicKey?: string;
  /** Hex. Absent: nothing. */
  readonly userData?: string;
  /** Hex. Absent: nothing. */
  readonly nonce?: string;
  /** When the hypervisor made the document, ISO 8601. */
  readonly signedAt: string;
}
