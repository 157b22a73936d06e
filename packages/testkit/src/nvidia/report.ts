import { concatBytes, utf8Encode } from '@fastness/codec/bytes';
import { signRaw, type ForgedKeys } from '../x509/keys.ts';
import { forgedFwid } from './chain.ts';

/** Numbers of fields of the opaque data. */
export const nvidiaFields = Object.freeze({
  driverVersion: 3,
  vbiosVersion: 6,
  nvdec0Status: 11,
  chipSku: 15,
  project: 17,
  projectSku: 18,
  fwid: 20,
  protectedPcieStatus: 21,
  switchPdi: 22,
  gpuPdis: 26,
  version: 34,
  chipInfo: 35,
  featureFlag: 36,
} as const);

export interface ForgeNvidiaReportOptions {
  /** The key of the leaf. */
  readonly keys: ForgedKeys;
  /** 32 bytes. */
  readonly nonce: Uint8Array;
  readonly kind?: 'gpu' | 'nvswitch';
  /** Digests by index, from 0. Default: {@link forgedMeasurements}. */
  readonly measurements?: ReadonlyMap<number, Uint8Array>;
  /** Edits the fields of the opaque data, by number, before they are written. */
  readonly fields?: (fields: Map<number, Uint8Array>) => void;
  /** Replaces the measurement record. */
  readonly record?: (record: Uint8Array) => Uint8Array;
  /** Number of blocks that the response states. Default: as many as there are. */
  readonly blocks?: number;
  /** Replaces the opaque data. */
  readonly opaque?: (opaque: Uint8Array) => Uint8Array;
  /** Header of the request, its nonce and slot. */
  readonly request?: (request: Uint8Array) => Uint8Array;
  /** First four bytes of the response. */
  readonly responseHeader?: Uint8Array;
}

/** Indexes that firmware and driver of a forged GPU measure, and those of a switch. */
export const forgedIndexes = Object.freeze({
  vbios: Object.freeze([0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12] as const),
  driver: Object.freeze([7, 21, 22, 25, 35, 40] as const),
  nvswitch: Object.freeze([0, 1, 2, 3, 4, 5, 6, 30] as const),
});

/** 64 digests for a GPU and 31 for a switch; those that are not measured are zero, as is one that is. */
export function forgedMeasurements(kind: 'gpu' | 'nvswitch' = 'gpu'): Map<number, Uint8Array> {
  const measured: readonly number[] =
    kind === 'gpu' ? [...forgedIndexes.vbios, ...forgedIndexes.driver] : forgedIndexes.nvswitch;
  return new Map(
    Array.from({ length: kind === 'gpu' ? 64 : 31 }, (_, index) => [
      index,
      new Uint8Array(48).fill(measured.includes(index) ? index : 0),
    ]),
  );
}

/** Writes request and response and signs them, as the device's driver returns them. */
export async function forgeNvidiaReport(options: ForgeNvidiaReportOptions): Promise<Uint8Array> {
  const { keys, nonce, kind = 'gpu', measurements = forgedMeasurements(kind) } = options;
  const plainRequest = concatBytes(Uint8Array.of(0x11, 0xe0, 0x01, 0xff), nonce, Uint8Array.of(0));
  const blocks = [...measurements].map(([index, digest]) =>
    concatBytes(Uint8Array.of(index + 1, 1), u16le(digest.length + 3), Uint8Array.of(1), u16le(digest.length), digest),
  );
  const record = options.record?.(concatBytes(...blocks)) ?? concatBytes(...blocks);
  const fields = kind === 'gpu' ? gpuFields() : switchFields();
  options.fields?.(fields);
  const plainOpaque = concatBytes(...[...fields].map(([id, value]) => nvidiaField(id, value)));
  const opaque = options.opaque?.(plainOpaque) ?? plainOpaque;
  const message = concatBytes(
    options.request?.(plainRequest) ?? plainRequest,
    options.responseHeader ?? Uint8Array.of(0x11, 0x60, 0, 0),
    Uint8Array.of(options.blocks ?? measurements.size),
    u16le(record.length & 0xffff),
    Uint8Array.of(record.length >> 16),
    record,
    new Uint8Array(32).fill(0x5a),
    u16le(opaque.length),
    opaque,
  );
  return concatBytes(message, await signRaw(keys, { kind: 'ecdsa', hash: 'SHA-384' }, message));
}

/** One field of the opaque data. */
export function nvidiaField(id: number, value: Uint8Array): Uint8Array {
  return concatBytes(u16le(id), u16le(value.length), value);
}

/** Text with a zero byte at its end. */
export function nvidiaText(text: string): Uint8Array {
  return utf8Encode(`${text}\0`);
}

function gpuFields(): Map<number, Uint8Array> {
  return new Map<number, Uint8Array>([
    [nvidiaFields.vbiosVersion, Uint8Array.of(0x00, 0x5e, 0x00, 0x96, 0x01, 0, 0, 0)],
    [nvidiaFields.chipSku, nvidiaText('882')],
    [nvidiaFields.project, nvidiaText('1010')],
    [nvidiaFields.projectSku, nvidiaText('0200')],
    [nvidiaFields.driverVersion, nvidiaText('580.95.05')],
    [nvidiaFields.nvdec0Status, Uint8Array.of(0x55)],
    [nvidiaFields.fwid, forgedFwid],
    [nvidiaFields.protectedPcieStatus, Uint8Array.of(0x55)],
    [nvidiaFields.version, Uint8Array.of(1, 0)],
    [nvidiaFields.featureFlag, Uint8Array.of(1, 0)],
  ]);
}

function switchFields(): Map<number, Uint8Array> {
  return new Map<number, Uint8Array>([
    [nvidiaFields.vbiosVersion, utf8Encode('96.10.55.00.01')],
    [nvidiaFields.switchPdi, Uint8Array.of(0x20, 0x3e, 0xb3, 0x1a, 0xd9, 0xed, 0, 8)],
    [nvidiaFields.gpuPdis, new Uint8Array(128).fill(7, 0, 16)],
  ]);
}

function u16le(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >> 8);
}
