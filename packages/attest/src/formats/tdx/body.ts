import { ByteReader, toHex } from '@fastness/codec';
import type { BodyKind } from '../dcap/flavour.ts';

/** A TD report as a quote carries it (Intel TDX DCAP Quoting Library API, appendix A.3.2). Hex is of the stored bytes. */
export interface TdBody {
  readonly kind: Exclude<BodyKind, 'sgx-enclave'>;
  /** TEE TCB SVN: 16 components. With a module that has an identity of its own, the first two are its ISVSVN and version. */
  readonly teeTcbSvn: readonly number[];
  readonly mrSeam: string;
  readonly mrSignerSeam: string;
  /** 8 bytes. */
  readonly seamAttributes: string;
  readonly tdAttributes: bigint;
  readonly xfam: bigint;
  /** SHA-384 of what the TD was built from. */
  readonly mrTd: string;
  /** Set by the host. */
  readonly mrConfigId: string;
  readonly mrOwner: string;
  readonly mrOwnerConfig: string;
  readonly rtmrs: readonly [string, string, string, string];
  /** 64 bytes. */
  readonly reportData: string;
  /** TD 1.5: TCB SVN that the module would have after the next load. */
  readonly teeTcbSvn2?: string;
  /** TD 1.5: hash over the service TDs that are bound to this one; zero without any. */
  readonly mrServiceTd?: string;
}

/** Reads a body of 584 (TD 1.0) or 648 (TD 1.5) bytes. */
export function readTdBody(bytes: Uint8Array, kind: BodyKind): TdBody {
  const reader = new ByteReader(bytes);
  const take = (length: number) => toHex(reader.take(length));
  const teeTcbSvn = Object.freeze([...reader.take(16)]);
  const mrSeam = take(48);
  const mrSignerSeam = take(48);
  const seamAttributes = take(8);
  const tdAttributes = reader.u64le();
  const xfam = reader.u64le();
  const mrTd = take(48);
  const mrConfigId = take(48);
  const mrOwner = take(48);
  const mrOwnerConfig = take(48);
  const rtmrs = Object.freeze([take(48), take(48), take(48), take(48)] as const);
  const reportData = take(64);
  const extended = kind === 'td-1.5' ? { teeTcbSvn2: take(16), mrServiceTd: take(48) } : {};
  reader.end();
  return Object.freeze({
    kind: kind === 'td-1.5' ? kind : 'td-1.0',
    teeTcbSvn,
    mrSeam,
    mrSignerSeam,
    seamAttributes,
    tdAttributes,
    xfam,
    mrTd,
    mrConfigId,
    mrOwner,
    mrOwnerConfig,
    rtmrs,
    reportData,
    ...extended,
  });
}

const bit = (index: bigint) => 1n << index;

/** Bits of the TD attributes (Intel TDX Module ABI, ATTRIBUTES). */
export const tdAttributes = Object.freeze({
  debug: bit(0n),
  lass: bit(27n),
  septVeDisable: bit(28n),
  migratable: bit(29n),
  pks: bit(30n),
  keyLocker: bit(31n),
  tpa: bit(62n),
  perfmon: bit(63n),
});

/** Every attribute that this verifier knows. */
export const knownTdAttributes: bigint = Object.values(tdAttributes).reduce((all, flag) => all | flag, 0n);

/** XFAM: x87 and SSE are always on; the rest is what the module lets a TD have (Intel TDX Module ABI, XFAM). */
export const XFAM_FIXED_ONE = 0x3n;
export const XFAM_ALLOWED = 0x6_dbe7n;
