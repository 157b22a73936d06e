import { toHex } from '@fastness/codec';
import { failed, type Checklist } from '../../checks.ts';
import { DIGEST_BYTES, MAX_OPAQUE_VERSION, opaqueIds, STATUS_OFF, STATUS_ON, type NvidiaKind } from './layout.ts';
import type { SpdmMessages } from './message.ts';

/** What a GPU says about itself beside its measurements. */
export interface GpuFields {
  readonly driverVersion: string;
  /** Names the board, for the reference document of its VBIOS. */
  readonly project: string;
  readonly projectSku: string;
  readonly chipSku: string;
  /** Chip as newer drivers name it for the reference document of the driver. */
  readonly chipInfo?: string;
  /** Whether it has NVDEC0; without it, measurement 35 means nothing. */
  readonly nvdec0: boolean;
  readonly mode: 'spt' | 'mpt' | 'ppcie' | 'unstated';
  /** Whether it says that it is protected PCIe. Absent: older drivers do not say. */
  readonly protectedPcie?: boolean;
}

/** An attestation report. Every field is a claim until the report is authenticated. */
export interface NvidiaReport extends Pick<SpdmMessages, 'nonce' | 'measurements' | 'record'> {
  /** For instance 96.00.5E.00.01. */
  readonly vbiosVersion: string;
  /** Firmware identity, 48 bytes. Absent: switches and older drivers do not state it. */
  readonly fwid?: Uint8Array;
  /** GPUs only. */
  readonly gpu?: GpuFields;
  /** Its own identifier; switches only. Hex, big-endian. */
  readonly pdi?: string;
  /** Identifiers of what it is connected to: switches for a GPU, GPUs for a switch. Hex, big-endian, each once. */
  readonly neighbours: readonly string[];
}

const PDI_BYTES = 8;
const SWITCH_GPUS = 8;
const modes = Object.freeze(['mpt', 'spt', 'ppcie'] as const);

/** Reads the fields. Throws NVIDIA_FIELD_MISSING, NVIDIA_FIELD_VALUE, NVIDIA_OPAQUE_UNKNOWN. */
export function readReport(messages: SpdmMessages, kind: NvidiaKind, checks: Checklist): NvidiaReport {
  const report = readFields(messages, kind);
  checks.require('NVIDIA_FIELD_MISSING', true, { expected: 'every field that is needed', actual: 'all of them' });
  checks.require('NVIDIA_FIELD_VALUE', true, { expected: 'sound values', actual: `firmware ${report.vbiosVersion}` });
  return Object.freeze(report);
}

function readFields({ nonce, measurements, record, opaque }: SpdmMessages, kind: NvidiaKind): NvidiaReport {
  const fields = new Fields(opaque);
  const fwid = opaque.get(opaqueIds.fwid);
  if (fwid !== undefined) fields.sound('firmware identity', fwid.length === DIGEST_BYTES, `${fwid.length} bytes`);
  const common = { nonce, measurements, record, ...(fwid === undefined ? {} : { fwid }) };
  if (kind.tee === 'nvidia-nvswitch') {
    const pdi = fields.bytes('switch identifier', opaqueIds.switchPdi);
    fields.sound('switch identifier', pdi.length === PDI_BYTES, `${pdi.length} bytes`);
    const vbiosVersion = fields.text('firmware version', opaqueIds.vbiosVersion, /^[0-9A-F]{2}(?:\.[0-9A-F]{2}){4}$/i);
    const gpus = opaque.get(opaqueIds.gpuPdis)?.subarray(0, SWITCH_GPUS * PDI_BYTES) ?? new Uint8Array();
    return {
      ...common,
      vbiosVersion: vbiosVersion.toUpperCase(),
      pdi: toHex(pdi),
      neighbours: identifiers(gpus, 'big-endian', fields),
    };
  }
  const switches = opaque.get(opaqueIds.switchPdi) ?? new Uint8Array();
  return {
    ...common,
    vbiosVersion: readVbiosVersion(fields),
    gpu: readGpu(fields),
    neighbours: identifiers(switches, 'little-endian', fields),
  };
}

function readGpu(fields: Fields): GpuFields {
  const word = /^[0-9A-Za-z]{1,16}$/;
  const status = fields.status('NVDEC0 status', opaqueIds.nvdec0Status);
  if (status === undefined) fields.bytes('NVDEC0 status', opaqueIds.nvdec0Status);
  const chipInfo = fields.has(opaqueIds.chipInfo) ? fields.text('chip', opaqueIds.chipInfo, word) : undefined;
  const protectedPcie = fields.status('protected PCIe status', opaqueIds.protectedPcieStatus);
  return Object.freeze({
    driverVersion: fields.text('driver version', opaqueIds.driverVersion, /^\d{1,6}(?:\.\d{1,6}){1,3}$/),
    project: fields.text('project', opaqueIds.project, word),
    projectSku: fields.text('project SKU', opaqueIds.projectSku, word),
    chipSku: fields.text('chip SKU', opaqueIds.chipSku, word),
    ...(chipInfo === undefined ? {} : { chipInfo }),
    nvdec0: status === true,
    mode: readMode(fields, protectedPcie),
    ...(protectedPcie === undefined ? {} : { protectedPcie }),
  });
}

/** Since version 1 of the opaque data the mode has a field of its own. Before, only protected PCIe could be told. */
function readMode(fields: Fields, protectedPcie: boolean | undefined): GpuFields['mode'] {
  const version = fields.has(opaqueIds.version) ? fields.number('version', opaqueIds.version) : 0;
  fields.known('version', version <= MAX_OPAQUE_VERSION, `version ${version}`);
  if (version === 0) return protectedPcie === true ? 'ppcie' : 'unstated';
  const flag = fields.number('feature flag', opaqueIds.featureFlag);
  const mode = modes[flag];
  fields.known('feature flag', mode !== undefined, `feature flag ${flag}`);
  return mode ?? 'unstated';
}

/** Eight bytes: version 96.00.5E.00.01 is stored as 00 5E 00 96 01 and zeros. */
function readVbiosVersion(fields: Fields): string {
  const bytes = fields.bytes('VBIOS version', opaqueIds.vbiosVersion);
  const sound = bytes.length === 8 && bytes.subarray(5).every((byte) => byte === 0);
  fields.sound('VBIOS version', sound, toHex(bytes.subarray(0, 16)));
  const order = [3, 2, 1, 0, 4];
  return order.map((place) => toHex(bytes.subarray(place, place + 1)).toUpperCase()).join('.');
}

function identifiers(bytes: Uint8Array, order: 'big-endian' | 'little-endian', fields: Fields): readonly string[] {
  fields.sound(
    'identifiers',
    bytes.length % PDI_BYTES === 0 && bytes.length <= 64 * PDI_BYTES,
    `${bytes.length} bytes`,
  );
  const found = new Set<string>();
  for (let start = 0; start < bytes.length; start += PDI_BYTES) {
    const one = bytes.slice(start, start + PDI_BYTES);
    if (one.every((byte) => byte === 0)) continue;
    found.add(toHex(order === 'big-endian' ? one : one.toReversed()));
  }
  return Object.freeze([...found].toSorted());
}

/** Fields of the opaque data, read with the checks' own errors. */
class Fields {
  readonly #opaque: ReadonlyMap<number, Uint8Array>;

  constructor(opaque: ReadonlyMap<number, Uint8Array>) {
    this.#opaque = opaque;
  }

  has(id: number): boolean {
    return this.#opaque.has(id);
  }

  bytes(name: string, id: number): Uint8Array {
    const value = this.#opaque.get(id);
    if (value !== undefined) return value;
    throw failed('NVIDIA_FIELD_MISSING', { expected: `${name} (field ${id})`, actual: 'no such field' });
  }

  /** Text with zero bytes at its end, of which nothing but the text counts. */
  text(name: string, id: number, pattern: RegExp): string {
    const bytes = this.bytes(name, id);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    const ascii = bytes.subarray(0, end).every((byte) => byte > 0x20 && byte < 0x7f);
    const text = ascii ? String.fromCodePoint(...bytes.subarray(0, Math.min(end, 64))) : '';
    this.sound(name, end <= 64 && pattern.test(text), ascii ? text : 'no text');
    return text;
  }

  /** Undefined: the field is not there. */
  status(name: string, id: number): boolean | undefined {
    const value = this.#opaque.get(id);
    if (value === undefined) return undefined;
    const [status = 0] = value;
    this.sound(
      name,
      value.length === 1 && (status === STATUS_OFF || status === STATUS_ON),
      toHex(value.subarray(0, 8)),
    );
    return status === STATUS_ON;
  }

  /** Little-endian, at most four bytes. */
  number(name: string, id: number): number {
    const bytes = this.bytes(name, id);
    this.sound(name, bytes.length >= 1 && bytes.length <= 4, `${bytes.length} bytes`);
    return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
  }

  sound(name: string, sound: boolean, actual: string): void {
    if (!sound) throw failed('NVIDIA_FIELD_VALUE', { expected: `a sound ${name}`, actual });
  }

  known(name: string, known: boolean, actual: string): void {
    if (!known) throw failed('NVIDIA_OPAQUE_UNKNOWN', { expected: `a ${name} that is known`, actual });
  }
}
