import type { ClaimsBase, PlatformIdentity } from './base.ts';
import type { TcbStatus } from '../policy/dcap.ts';

/** What Intel's collateral says about the platform. */
export interface DcapTcbClaims {
  /** Platform, quoting enclave and, for TDX, module together. */
  readonly status: TcbStatus | 'Revoked';
  /** The earliest date among the levels that were met, ISO 8601. */
  readonly date: string;
  readonly advisories: readonly string[];
  /** The 16 SGX components of the PCK certificate. */
  readonly components: readonly number[];
  readonly pceSvn: number;
  readonly tcbEvaluationDataNumber: number;
}

/** What TDX and SGX claims have in common. */
interface DcapClaimsBase extends ClaimsBase {
  readonly simulated: false;
  readonly vendor: 'Intel';
  readonly identity: PlatformIdentity & { readonly kind: 'ppid' };
  readonly fmspc: string;
  readonly quoteVersion: number;
  readonly tcb: DcapTcbClaims;
}

/** Facts about an Intel TD that were authenticated and that the policy accepts. Hex is lower-case, of the stored bytes. */
export interface TdxClaims extends DcapClaimsBase {
  readonly tee: 'tdx';
  readonly bodyKind: 'td-1.0' | 'td-1.5';
  /** MRTD, SHA-384: the virtual firmware. What it loaded is in the RTMRs. */
  readonly measurement: string;
  readonly rtmrs: readonly [string, string, string, string];
  readonly mrSeam: string;
  readonly mrConfigId: string;
  readonly mrOwner: string;
  readonly mrOwnerConfig: string;
  /** TD 1.5 only. */
  readonly mrServiceTd?: string;
  /** 64 bits in big-endian hex. */
  readonly tdAttributes: string;
  readonly xfam: string;
  readonly teeTcbSvn: readonly number[];
  /** Present when the event log of the boot came with the quote. */
  readonly eventLog?: {
    /** How many events extend one of these registers. */
    readonly events: number;
    /** Registers that it replays to: their events are as genuine as the quote. Nothing is said of others. */
    readonly replayedRtmrs: readonly number[];
    /** By register: the events that the policy lists, in its words. Each of them was found. */
    readonly named: Readonly<Record<string, readonly string[]>>;
  };
}

/** Facts about an Intel SGX enclave that were authenticated and that the policy accepts. */
export interface SgxClaims extends DcapClaimsBase {
  readonly tee: 'sgx';
  /** MRENCLAVE, SHA-256. */
  readonly measurement: string;
  readonly mrSigner: string;
  readonly isvProdId: number;
  readonly isvSvn: number;
  /** 16 bytes as they are stored: flags, XFRM. */
  readonly attributes: string;
  readonly miscSelect: string;
}
