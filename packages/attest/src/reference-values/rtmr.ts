import { concatBytes, toHex, u16le, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { replayDigests } from '../event-log/index.ts';
import { qemuKernel } from './linux-header.ts';
import { parsePe } from './pe.ts';
import { sha384 } from './sha384.ts';
import { bootedParts } from './uki.ts';

/** What QEMU starts directly (`-kernel`, `-initrd`, `-append`), on firmware with TDVF metadata. */
export interface DirectBoot {
  readonly image: Uint8Array;
  readonly archive?: Uint8Array;
  readonly commandLine?: string;
}

/** A value that a register may come to, and the events that lead there, in their order. */
export interface PredictedRtmr {
  /** SHA-384, hex: one of `rtmrs` of a policy. */
  readonly value: string;
  /** SHA-384, hex: what the event log (CCEL) must hold for this register. */
  readonly events: readonly string[];
  /** What each event is of. */
  readonly names: readonly string[];
  /** Which hosts and firmware it holds for; absent: every one. */
  readonly holdsFor?: string;
}

/**
 * Run-time registers of a trust domain that starts an image. Where hosts and firmware of different versions do the same thing
 * in different ways there is a value for each: they say the same about kernel, archive and command line.
 */
export interface PredictedRtmrs {
  /** Kernel. */
  readonly 1: readonly PredictedRtmr[];
  /** Command line and archive. */
  readonly 2: readonly PredictedRtmr[];
}

/** Registers that are not computed, and why. */
export const unpredictedRtmrs: Readonly<Record<'0' | '3', string>> = Object.freeze({
  0: 'memory map, ACPI tables and boot variables, which the host makes',
  3: 'nothing while booting; an enclave extends it with its configuration and release (--config, --release)',
});

interface Event {
  readonly name: string;
  readonly hashed: readonly Uint8Array[];
}

const text = (words: string): Event => ({ name: words, hashed: [utf8Encode(words)] });
const CALLING = text('Calling EFI Application from Boot Option');
const SEPARATOR: Event = { name: 'separator', hashed: [new Uint8Array(4)] };
const LEAVING = Object.freeze([
  text('Exit Boot Services Invocation'),
  text('Exit Boot Services Returned with Success'),
]);

/** 96751a3d-72f4-41a6-a794-ed5d0e67ae6b, EFI_CC_MEASUREMENT_PROTOCOL, in two halves: code holds it as two numbers. */
const CC_PROTOCOL = Object.freeze(['3d1a7596f472a641', 'a794ed5d0e67ae6b']);
const INITRD_WORD = 'initrd=initrd';

/**
 * Registers 1 and 2 of a trust domain in which QEMU starts a kernel directly. Registers as UEFI maps them (UEFI 2.10, section
 * 38.4.1): TPM registers 2 to 6 are RTMR1, 8 to 15 RTMR2, in the order of the events; TDVF measures one separator into RTMR1.
 *
 * Holds for OVMF of edk2 from 2022 on without Secure Boot keys and without option ROMs, and Linux from 6.9 on, which is the
 * first that measures command line and archive without a TPM.
 * Throws IMAGE_PE_MALFORMED, IMAGE_KERNEL_NOT_MEASURING.
 */
export async function predictDirectRtmrs({ image, archive, commandLine = '' }: DirectBoot): Promise<PredictedRtmrs> {
  requireMeasuring(image);
  const archiveBytes = archive?.length ?? 0;
  const kernel = (bytes: Uint8Array): Event[] => [
    { name: 'kernel', hashed: parsePe(bytes).hashed },
    CALLING,
    SEPARATOR,
    ...LEAVING,
  ];
  const options = (line: string): Event[] => [
    ...(line === '' ? [] : [{ name: 'command line', hashed: [firmwareText(line)] }]),
    ...(archive === undefined || archiveBytes === 0 ? [] : [{ name: 'archive', hashed: [archive] }]),
  ];
  const rewritten = qemuKernel(image, { archiveBytes, commandLine });
  return {
    1: [
      await rtmrOf(kernel(image), 'QEMU from 10.2 on'),
      ...(rewritten === undefined
        ? []
        : [await rtmrOf(kernel(rewritten), 'QEMU before 10.2 with 2 GiB of memory, or 2.75 GiB and more')]),
    ],
    2:
      archiveBytes === 0
        ? [await rtmrOf(options(commandLine))]
        : [
            await rtmrOf(options(`${INITRD_WORD} ${commandLine}`), 'OVMF of edk2-stable202508 and later'),
            await rtmrOf(options(`${commandLine} ${INITRD_WORD}`), 'OVMF before edk2-stable202508'),
          ],
  };
}

/**
 * The same for a unified kernel image that the firmware boots from a disk without a partition table, such as `npm run image`
 * writes. systemd-stub 252 measures nothing in a trust domain, the kernel does.
 * Throws IMAGE_PE_MALFORMED, IMAGE_NOT_UKI, IMAGE_STUB_UNKNOWN, IMAGE_KERNEL_NOT_MEASURING.
 */
export async function predictUkiRtmrs(image: Uint8Array): Promise<PredictedRtmrs> {
  const { hashed, linux, kernel, loadOptions, archive } = bootedParts(image);
  requireMeasuring(linux);
  return {
    1: [
      await rtmrOf([
        CALLING,
        SEPARATOR,
        { name: 'unified kernel image', hashed },
        { name: 'kernel', hashed: kernel.hashed },
        ...LEAVING,
      ]),
    ],
    2: [
      await rtmrOf([
        { name: 'command line', hashed: [loadOptions] },
        { name: 'archive', hashed: [archive] },
      ]),
    ],
  };
}

async function rtmrOf(list: readonly Event[], holdsFor?: string): Promise<PredictedRtmr> {
  const events = await Promise.all(list.map(async ({ hashed }) => toHex(await sha384(...hashed))));
  return {
    value: await replayDigests(events),
    events,
    names: list.map(({ name }) => name),
    ...(holdsFor === undefined ? {} : { holdsFor }),
  };
}

/** What the kernel measures of its command line: as firmware hands it over, a byte to a letter, with its end. */
function firmwareText(line: string): Uint8Array {
  return concatBytes(...Array.from(utf8Encode(`${line}\0`), (byte) => u16le(byte)));
}

/**
 * A kernel that does not know the protocol leaves register 2 at zero, whatever its command line and archive are. That it
 * knows it is seen from the identifier in its code; whether it uses it well is not.
 */
function requireMeasuring(kernel: Uint8Array): void {
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  for (const half of CC_PROTOCOL) {
    const first = Number.parseInt(half.slice(0, 2), 16);
    const wanted = BigInt(`0x${half}`);
    let at = kernel.indexOf(first);
    while (at >= 0 && at + 8 <= kernel.length && view.getBigUint64(at) !== wanted) at = kernel.indexOf(first, at + 1);
    if (at < 0 || at + 8 > kernel.length) throw new FastnessError('IMAGE_KERNEL_NOT_MEASURING');
  }
}
