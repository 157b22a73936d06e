import { FastnessError } from '@fastness/codec/errors';
import { signRaw, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedAmdChain } from './chain.ts';
import { forgedProducts, type ForgedCpuid, type ForgedTcb } from './products.ts';

/** A firmware version. */
export interface ForgedFirmware {
  readonly build: number;
  readonly minor: number;
  readonly major: number;
}

/** Every field of the report. A TCB may be given as its eight bytes, to write what no product would. */
export interface ForgedReportFields {
  /** Default 5. */
  readonly version?: number;
  readonly guestSvn?: number;
  /** Guest policy. Default 0x30000: SMT allowed, the reserved bit set, everything else off. */
  readonly policy?: bigint;
  /** 16 bytes. */
  readonly familyId?: Uint8Array;
  /** 16 bytes. */
  readonly imageId?: Uint8Array;
  readonly vmpl?: number;
  /** Default 1, ECDSA P-384 with SHA-384. */
  readonly signatureAlgorithm?: number;
  readonly currentTcb?: ForgedTcb | Uint8Array;
  /** Default 0x25: SMT on, ECC on, alias check complete. */
  readonly platformInfo?: bigint;
  /** The word at 0x48. Default: the signing key of the chain, nothing masked, no author key. */
  readonly flags?: number;
  /** 64 bytes. Default zero. */
  readonly reportData?: Uint8Array;
  /** 48 bytes. Default zero. */
  readonly measurement?: Uint8Array;
  /** 32 bytes. */
  readonly hostData?: Uint8Array;
  /** 48 bytes. */
  readonly idKeyDigest?: Uint8Array;
  /** 48 bytes. */
  readonly authorKeyDigest?: Uint8Array;
  /** 32 bytes. Default random. */
  readonly reportId?: Uint8Array;
  /** 32 bytes. Default all ones: no migration agent. */
  readonly reportIdMa?: Uint8Array;
  /** Default: the TCB of the chain. */
  readonly reportedTcb?: ForgedTcb | Uint8Array;
  /** Version 3 and later. Default: the product of the chain. */
  readonly cpuid?: ForgedCpuid;
  /** 64 bytes. Default: the chain's chip id, filled up with zeros; zero under a VLEK. */
  readonly chipId?: Uint8Array;
  readonly committedTcb?: ForgedTcb | Uint8Array;
  readonly currentFirmware?: ForgedFirmware;
  readonly committedFirmware?: ForgedFirmware;
  readonly launchTcb?: ForgedTcb | Uint8Array;
  /** Version 5. Default 1. */
  readonly launchMitigations?: bigint;
  /** Version 5. Default 1. */
  readonly currentMitigations?: bigint;
}

export interface ForgeSnpReportOptions extends ForgedReportFields {
  readonly chain: ForgedAmdChain;
  /** Signs with another P-384 key than the leaf's. */
  readonly signWith?: ForgedKeys;
  /** Changes the 1184 bytes before they are signed: the signature holds over the change. */
  readonly edit?: (report: Uint8Array) => void;
  /** Changes the report after it was signed; may return other bytes, for instance of another length. */
  readonly tamper?: (report: Uint8Array) => Uint8Array | undefined | void;
}

const REPORT_BYTES = 1184;
const SIGNED_BYTES = 0x2a0;
const SIGNATURE_HALF = 72;

/** Writes an SEV-SNP report (AMD 56860, ATTESTATION_REPORT) and signs it with the leaf key of the chain. */
export async function forgeSnpReport(options: ForgeSnpReportOptions): Promise<Uint8Array> {
  const report = new Uint8Array(REPORT_BYTES);
  writeFields(report, options);
  options.edit?.(report);
  const keys = options.signWith ?? options.chain.leaf.keys;
  const raw = await signRaw(keys, { kind: 'ecdsa', hash: 'SHA-384' }, report.subarray(0, SIGNED_BYTES));
  report.set(raw.subarray(0, 48).toReversed(), SIGNED_BYTES);
  report.set(raw.subarray(48).toReversed(), SIGNED_BYTES + SIGNATURE_HALF);
  return options.tamper?.(report) ?? report;
}

function writeFields(report: Uint8Array, options: ForgeSnpReportOptions): void {
  const { chain, version = 5 } = options;
  const facts = forgedProducts[chain.product];
  const view = new DataView(report.buffer);
  const bytes = (offset: number, length: number, value: Uint8Array | undefined): void => {
    if (value === undefined) return;
    if (value.length !== length)
      throw new FastnessError('TESTKIT_OPTION', `The field at ${offset} has ${length} bytes.`);
    report.set(value, offset);
  };
  const tcb = (offset: number, value: ForgedTcb | Uint8Array = chain.tcb): void =>
    bytes(offset, 8, value instanceof Uint8Array ? value : facts.tcbBytes(value));
  const firmware = (offset: number, value: ForgedFirmware = { build: 43, minor: 55, major: 1 }): void =>
    report.set([value.build, value.minor, value.major], offset);

  view.setUint32(0x000, version, true);
  view.setUint32(0x004, options.guestSvn ?? 0, true);
  view.setBigUint64(0x008, options.policy ?? 0x3_0000n, true);
  bytes(0x010, 16, options.familyId);
  bytes(0x020, 16, options.imageId);
  view.setUint32(0x030, options.vmpl ?? 0, true);
  view.setUint32(0x034, options.signatureAlgorithm ?? 1, true);
  tcb(0x038, options.currentTcb);
  view.setBigUint64(0x040, options.platformInfo ?? 0x25n, true);
  view.setUint32(0x048, options.flags ?? (chain.kind === 'vlek' ? 1 << 2 : 0), true);
  bytes(0x050, 64, options.reportData);
  bytes(0x090, 48, options.measurement);
  bytes(0x0c0, 32, options.hostData);
  bytes(0x0e0, 48, options.idKeyDigest);
  bytes(0x110, 48, options.authorKeyDigest);
  bytes(0x140, 32, options.reportId ?? crypto.getRandomValues(new Uint8Array(32)));
  bytes(0x160, 32, options.reportIdMa ?? new Uint8Array(32).fill(0xff));
  tcb(0x180, options.reportedTcb);
  if (version >= 3 || options.cpuid !== undefined) {
    const { family, model, stepping } = options.cpuid ?? facts.cpuid;
    report.set([family, model, stepping], 0x188);
  }
  bytes(0x1a0, 64, options.chipId ?? chipIdOf(chain));
  tcb(0x1e0, options.committedTcb);
  firmware(0x1e8, options.currentFirmware);
  firmware(0x1ec, options.committedFirmware);
  tcb(0x1f0, options.launchTcb);
  view.setBigUint64(0x1f8, options.launchMitigations ?? (version >= 5 ? 1n : 0n), true);
  view.setBigUint64(0x200, options.currentMitigations ?? (version >= 5 ? 1n : 0n), true);
}

/** The field that a genuine report of this chain carries: a VLEK hides the chip. */
function chipIdOf(chain: ForgedAmdChain): Uint8Array {
  const field = new Uint8Array(64);
  if (chain.kind === 'vcek') field.set(chain.hwid.subarray(0, 64));
  return field;
}
