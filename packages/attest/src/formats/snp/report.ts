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
