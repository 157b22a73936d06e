/** Kinds of body that a quote can hold (Intel TDX DCAP Quoting Library API, appendix A.3.2, and A.4 for SGX). */
export type BodyKind = 'sgx-enclave' | 'td-1.0' | 'td-1.5';

/** Bytes of each body. */
export const bodyBytes: Readonly<Record<BodyKind, number>> = Object.freeze({
  'sgx-enclave': 384,
  'td-1.0': 584,
  'td-1.5': 648,
});

/** Values of the body type field that version 5 quotes have. */
export const bodyTypes: ReadonlyMap<number, BodyKind> = new Map([
  [1, 'sgx-enclave'],
  [2, 'td-1.0'],
  [3, 'td-1.5'],
]);

/** In what the two TEEs that share Intel's quotes and collateral differ. */
export interface DcapFlavour {
  readonly tee: 'tdx' | 'sgx';
  /** The header's TEE type. */
  readonly teeType: number;
  readonly versions: readonly number[];
  /** Bodies that are read; the first is the one of quotes before version 5. */
  readonly bodies: readonly [BodyKind, ...BodyKind[]];
  /** `id` of the TCB info that belongs to it. */
  readonly tcbInfoId: 'SGX' | 'TDX';
  /** `id` of the identity of its quoting enclave. */
  readonly qeIdentityId: 'QE' | 'TD_QE';
}
