import type { Certificate, Crl } from '@fastness/codec/x509';
import type { CheckRecord } from '../../checks.ts';
import type { SnpIdentity, SnpTcb } from '../../claims.ts';
import type { AppliedWaiver } from '../../waivers.ts';
import type { SnpProduct } from './products.ts';

/** The guest policy: what the guest owner asked of the firmware at launch. */
export interface GuestPolicy {
  readonly bits: bigint;
  readonly smtAllowed: boolean;
  readonly reservedOne: boolean;
  readonly migrationAgentAllowed: boolean;
  readonly debugAllowed: boolean;
  readonly singleSocket: boolean;
  readonly cxlAllowed: boolean;
  readonly memoryAes256Xts: boolean;
  readonly raplDisabled: boolean;
  readonly ciphertextHiding: boolean;
  readonly pageSwapDisabled: boolean;
  /** Bits 63:26, shifted down. */
  readonly unknown: bigint;
}

/** What the firmware says about the platform. */
export interface PlatformInfo {
  readonly bits: bigint;
  readonly smtEnabled: boolean;
  readonly tsmeEnabled: boolean;
  readonly eccEnabled: boolean;
  readonly raplDisabled: boolean;
  readonly ciphertextHidingEnabled: boolean;
  readonly aliasCheckComplete: boolean;
}

/** The fields of a report. Strings are lower-case hex; TCB versions stay raw until the product is known. */
export interface SnpReport {
  readonly version: number;
  readonly guestSvn: number;
  readonly policy: GuestPolicy;
  readonly familyId: string;
  readonly imageId: string;
  readonly vmpl: number;
  readonly signatureAlgorithm: number;
  readonly platform: PlatformInfo;
  readonly authorKeyEnabled: boolean;
  readonly chipKeyMasked: boolean;
  /** SIGNING_KEY as reported: 0 VCEK, 1 VLEK, 7 none. */
  readonly signingKey: number;
  readonly reportData: string;
  readonly measurement: string;
  readonly hostData: string;
  readonly idKeyDigest: string;
  readonly authorKeyDigest: string;
  readonly reportId: string;
  readonly reportIdMa: string;
  readonly tcb: {
    readonly reported: string;
    readonly committed: string;
    readonly current: string;
    readonly launch: string;
  };
  /** Version 3 and later. */
  readonly cpuid?: { readonly family: number; readonly model: number; readonly stepping: number };
  readonly chipId: string;
  readonly firmware: { readonly current: string; readonly committed: string };
  /** Version 5 and later. */
  readonly mitigations?: { readonly launch: bigint; readonly current: bigint };
}

declare const parsed: unique symbol;
declare const authentic: unique symbol;

export interface ParsedFields {
  readonly simulated: boolean;
  readonly report: SnpReport;
  readonly certificates: readonly Certificate[];
  readonly crls: readonly Crl[];
  readonly checks: readonly CheckRecord[];
}

/** Evidence that was read, and nothing more: every field is a claim of whoever sent it. Made by `parse` alone. */
export interface ParsedReport extends ParsedFields {
  readonly [parsed]: true;
}

export interface AuthenticFields {
  readonly simulated: boolean;
  readonly report: SnpReport;
  readonly product: SnpProduct;
  readonly signingKey: 'vcek' | 'vlek';
  readonly identity: SnpIdentity;
  readonly tcb: {
    readonly reported: SnpTcb;
    readonly committed: SnpTcb;
    readonly current: SnpTcb;
    readonly launch: SnpTcb;
  };
  /** When authenticity was judged; the policy is applied as of the same time. */
  readonly at: Date;
  readonly checks: readonly CheckRecord[];
  readonly waivers: readonly AppliedWaiver[];
}

/** A report that a pinned root vouches for. Whether it is acceptable is another question. Made by `authenticate` alone. */
export interface AuthenticReport extends AuthenticFields {
  readonly [authentic]: true;
}
