import { equalBytes, toHex, utf8Decode } from '@fastness/codec';
import { contextConstructed, DerReader, derTags, readDerSequence } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import type { Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import type { Chain } from './chain.ts';
import { DIGEST_BYTES, nvidiaChips, type NvidiaKind } from './layout.ts';
import type { NvidiaReport } from './report.ts';

export interface NvidiaChip {
  /** For instance GH100, as the leaf names it. */
  readonly chip: string;
  readonly architecture: 'hopper' | 'blackwell' | 'ls10';
}

/** What the certificates say about the device. */
export interface NvidiaDevice extends NvidiaChip {
  /** Serial number of the chip's certificate, hex. */
  readonly id: string;
  /** Serial number of the leaf, decimal. */
  readonly ueid: string;
  /** Common name of the chip's certificate. */
  readonly hardwareModel: string;
  /** Whether the leaf marks the device as in debug, in recovery or not secure (DiceTcbInfo flags; Blackwell). */
  readonly insecure: boolean;
}

const SUBJECT_ALT_NAME = '2.5.29.17';
/** DMTF's device information as an alternative name (DSP0274, section 10.8.2). */
const DMTF_DEVICE_INFO = '1.3.6.1.4.1.412.274.1';
/** Public key and firmware identity of the layer below: { version, SPKI, FWID }. Hopper, NVSwitch. */
const COMPOSITE_DEVICE_ID = '2.23.133.5.4.1';
/** DiceTcbInfo (TCG DICE Attestation Architecture, section 6.1.1) under the number that NVIDIA gives it. Blackwell. */
const DICE_TCB_INFO = '2.23.133.5.4.1.1';
const SHA_384 = '2.16.840.1.101.3.4.2.2';
/** Operational flags notSecure, recovery and debug. */
const INSECURE_FLAGS = [1, 2, 3];

interface FirmwareIdentity {
  readonly fwid: Uint8Array;
  readonly insecure: boolean;
}

/** The chip that the leaf was issued to, which must be of the kind that the media type says. A claim until authenticated. */
export function readChip(leaf: Certificate, kind: NvidiaKind, checks: Checklist): NvidiaChip {
  const chip = chipOf(leaf);
  checks.require('NVIDIA_DEVICE_NAME', chip !== undefined, {
    expected: 'NVIDIA:<chip>:<id>',
    actual: chip ?? deviceNameOf(leaf)?.slice(0, 64) ?? 'no device name',
  });
  const known = nvidiaChips.find(({ pattern }) => pattern.test(chip));
  checks.require('NVIDIA_KIND_MISMATCH', known?.tee === kind.tee, {
    expected: kind.tee,
    actual: `${chip}, ${known?.tee ?? 'which is not known'}`,
  });
  return Object.freeze({ chip, architecture: known.architecture });
}

/** What the certificates of a chain that was verified say; the firmware that they name must be the report's. */
export function checkDevice(
  { certificates, leaf }: Pick<Chain, 'certificates' | 'leaf'>,
  chip: NvidiaChip,
  { kind, report }: { readonly kind: NvidiaKind; readonly report: NvidiaReport },
  checks: Checklist,
): NvidiaDevice {
  const { insecure } = checkFirmwareIdentity(leaf, kind, report, checks);
  const own = certificates[1] ?? leaf;
  return Object.freeze({
    ...chip,
    id: toHex(own.serial).replace(/^(?:00)+(?=..)/, ''),
    ueid: BigInt(`0x${toHex(leaf.serial)}`).toString(),
    hardwareModel: own.subject.commonName ?? '',
    insecure,
  });
}

/** The chip that the leaf names, for instance GH100; undefined when it names none. */
function chipOf(leaf: Certificate): string | undefined {
  return /^NVIDIA:(?<chip>[A-Z0-9_]{2,16}):[0-9A-F]{8,32}$/.exec(deviceNameOf(leaf) ?? '')?.groups?.['chip'];
}

/** The firmware that made the leaf's key must be the one that the report names. */
function checkFirmwareIdentity(
  leaf: Certificate,
  kind: NvidiaKind,
  { fwid }: NvidiaReport,
  checks: Checklist,
): FirmwareIdentity {
  const identities = [
    read(leaf, COMPOSITE_DEVICE_ID, readCompositeDeviceId),
    read(leaf, DICE_TCB_INFO, readDiceTcbInfo),
  ].filter((identity) => identity !== undefined);
  const [identity] = identities;
  const stated = [COMPOSITE_DEVICE_ID, DICE_TCB_INFO].filter((oid) => leaf.extensions.has(oid));
  checks.require('NVIDIA_FWID_MISSING', identity !== undefined && stated.length === 1, {
    expected: `one extension ${COMPOSITE_DEVICE_ID} or ${DICE_TCB_INFO} with a SHA-384 digest`,
    actual: `${stated.join(' and ') || 'none'}, of which ${identities.length} can be read`,
  });
  const expected = toHex(identity.fwid);
  if (fwid === undefined) {
    const why = 'the report does not state its firmware identity';
    if (kind.tee === 'nvidia-nvswitch') checks.notApplicable('NVIDIA_FWID_ABSENT', 'switches do not state it');
    else checks.requireUnlessWaived('NVIDIA_FWID_ABSENT', false, { expected, actual: 'none' });
    checks.notApplicable('NVIDIA_FWID_MISMATCH', why);
    return identity;
  }
  checks.require('NVIDIA_FWID_ABSENT', true, { expected: 'a firmware identity', actual: 'one' });
  checks.require('NVIDIA_FWID_MISMATCH', equalBytes(fwid, identity.fwid), { expected, actual: toHex(fwid) });
  return identity;
}

function deviceNameOf(leaf: Certificate): string | undefined {
  return read(leaf, SUBJECT_ALT_NAME, (value) =>
    readDerSequence(value, (names) => {
      const name = names.inside(names.expect(contextConstructed(0)));
      names.end();
      if (name.oid() !== DMTF_DEVICE_INFO) throw new FastnessError('CODEC_MALFORMED', 'Another kind of name.');
      const text = name.inside(name.expect(contextConstructed(0)));
      name.end();
      const { content } = text.expect(derTags.utf8String);
      text.end();
      return utf8Decode(content);
    }),
  );
}

function readCompositeDeviceId(value: Uint8Array): FirmwareIdentity {
  return readDerSequence(value, (fields) => {
    if (fields.smallInteger() !== 1) throw new FastnessError('CODEC_MALFORMED', 'Another version.');
    fields.expect(derTags.sequence);
    return { fwid: readFwid(fields.sequence()), insecure: false };
  });
}

/** Fields [0] to [9] in their order, each optional; FWIDs are [6], flags [7]. The first FWID is the firmware's. */
function readDiceTcbInfo(value: Uint8Array): FirmwareIdentity {
  return readDerSequence(value, (fields) => {
    let last = -1;
    let fwid: Uint8Array | undefined;
    let insecure = false;
    while (fields.remaining > 0) {
      const element = fields.element();
      const number = element.tag & 0x1f;
      if ((element.tag & 0xc0) !== 0x80 || number <= last || number > 9) {
        throw new FastnessError('CODEC_MALFORMED', 'A field out of its place.');
      }
      last = number;
      if (element.tag === contextConstructed(6)) {
        const list = fields.inside(element);
        fwid = readFwid(list.sequence());
        while (list.remaining > 0) readFwid(list.sequence());
      } else if (number === 7) insecure = INSECURE_FLAGS.some((flag) => isSet(element.content, flag));
    }
    if (fwid === undefined) throw new FastnessError('CODEC_MALFORMED', 'No firmware identity.');
    return { fwid, insecure };
  });
}

function readFwid(fields: DerReader): Uint8Array {
  const algorithm = fields.oid();
  const digest = fields.octetString();
  fields.end();
  if (algorithm !== SHA_384 || digest.length !== DIGEST_BYTES) {
    throw new FastnessError('CODEC_MALFORMED', 'A firmware identity that is no SHA-384 digest.');
  }
  return digest;
}

/** `content` of a BIT STRING: the number of unused bits, then the bits, the first one highest. */
function isSet(content: Uint8Array, flag: number): boolean {
  return ((content[1 + (flag >> 3)] ?? 0) & (0x80 >> (flag & 7))) !== 0;
}

/** What an extension says; undefined when it is not there or says it in another form. */
function read<T>(leaf: Certificate, oid: string, reader: (value: Uint8Array) => T): T | undefined {
  const extension = leaf.extensions.get(oid);
  if (extension === undefined) return undefined;
  try {
    return reader(extension.value);
  } catch (error) {
    if (error instanceof FastnessError) return undefined;
    throw error;
  }
}
