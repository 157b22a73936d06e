import type { ClaimsBase, PlatformIdentity } from './base.ts';
import type { SnpProductName } from '../trust/anchors.ts';

/** Security version numbers of the components of an AMD platform. `fmc` exists on Turin only. */
export interface SnpTcb {
  readonly bootloader: number;
  readonly tee: number;
  readonly snp: number;
  readonly microcode: number;
  readonly fmc?: number;
}

/** One chip, or a cloud provider that leases the key and hides the chip. */
export type SnpIdentity = PlatformIdentity & { readonly kind: 'chip-id' | 'csp-id' };

/** Facts about an SEV-SNP guest that were authenticated and that the policy accepts. JSON-safe. Hex is lower-case. */
export interface SnpClaims extends ClaimsBase {
  readonly tee: 'sev-snp';
  readonly vendor: 'AMD' | 'simulated';
  readonly product: SnpProductName;
  readonly reportVersion: number;
  readonly signingKey: 'vcek' | 'vlek';
  readonly identity: SnpIdentity;
  /** SHA-384 launch measurement, hex. */
  readonly measurement: string;
  readonly vmpl: number;
  readonly migratable: boolean;
  readonly smtAllowed: boolean;
  readonly smtEnabled: boolean;
  readonly aliasCheckComplete: boolean;
  /** The guest policy, 64 bits in big-endian hex. */
  readonly policyBits: string;
  /** Platform information, 64 bits in big-endian hex. */
  readonly platformBits: string;
  readonly guestSvn: number;
  readonly tcb: {
    readonly reported: SnpTcb;
    readonly committed: SnpTcb;
    readonly current: SnpTcb;
    readonly launch: SnpTcb;
  };
  /** Firmware versions, "major.minor.build". */
  readonly firmware: { readonly current: string; readonly committed: string };
  /** Vulnerability mitigations, 64 bits in big-endian hex; version 5 reports only. */
  readonly mitigations?: { readonly launch: string; readonly current: string };
  readonly hostData: string;
  readonly idKeyDigest: string;
  readonly authorKeyDigest: string;
  readonly familyId: string;
  readonly imageId: string;
  readonly reportId: string;
}
