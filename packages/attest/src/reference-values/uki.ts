import { concatBytes, toHex, utf8Decode, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { replayDigests, type LogHash } from '../event-log/index.ts';
import { parsePe, type PeImage, type PeSection } from './pe.ts';

/** What will be measured: for each register its events in their order, as digests, and the value that they come to. */
export interface PredictedRegisters {
  readonly bank: Exclude<LogHash, 'SHA-1'>;
  /** Hex by index: `events` of a policy. */
  readonly events: Readonly<Record<string, readonly string[]>>;
  /** Hex by index: `measurements` (of the measurement register) and `pcrs` of a policy. */
  readonly pcrs: Readonly<Record<string, string>>;
  /** What each event is of, in the order of `events`. */
  readonly names: Readonly<Record<string, readonly string[]>>;
}

/** The order in which systemd-stub 252 measures sections, of those that an image has; later ones measure more of them. */
const MEASURED = Object.freeze(['.linux', '.osrel', '.cmdline', '.initrd', '.splash', '.dtb']);
const KNOWN_STUB = /^#### LoaderInfo: systemd-stub 252[.\s-]/;
const ACTION = 'Calling EFI Application from Boot Option';
const SEPARATOR = new Uint8Array(4);

interface Event {
  readonly name: string;
  readonly hashed: readonly Uint8Array[];
}

/**
 * What firmware, stub and kernel measure when a machine boots a unified kernel image from a disk: registers 4 (the image, the
 * kernel in it), 9 (command line and archive, by the kernel) and 11 (each section, by the stub). Firmware and its settings
 * (registers 0 to 3, 5 and 7) depend on the machine.
 *
 * Holds for systemd-stub 252, which starts the kernel through the firmware, and Linux from 6.1 on, with Secure Boot off or a
 * command line in the image; other stubs measure in another order. Signing the image does not change what is measured.
 * Throws IMAGE_PE_MALFORMED, IMAGE_NOT_UKI, IMAGE_STUB_UNKNOWN.
 */
export async function predictUki(
  image: Uint8Array,
  { bank = 'SHA-256' }: { readonly bank?: PredictedRegisters['bank'] } = {},
): Promise<PredictedRegisters> {
  const { sections, hashed, kernel, loadOptions, archive } = bootedParts(image);
  const registers: Readonly<Record<string, readonly Event[]>> = {
    4: [
      { name: ACTION, hashed: [utf8Encode(ACTION)] },
      { name: 'separator', hashed: [SEPARATOR] },
      { name: 'unified kernel image', hashed },
      { name: 'kernel', hashed: kernel.hashed },
    ],
    9: [
      { name: 'command line, as the kernel got it', hashed: [loadOptions] },
      { name: 'archive, as the kernel got it', hashed: [archive] },
    ],
    11: sectionEvents(sections),
  };
  const events: Record<string, readonly string[]> = {};
  const pcrs: Record<string, string> = {};
  const names: Record<string, readonly string[]> = {};
  for (const [index, list] of Object.entries(registers)) {
    const digests = await Promise.all(list.map((event) => digestOf(bank, event.hashed)));
    events[index] = digests;
    pcrs[index] = await replayDigests(digests, { hash: bank });
    names[index] = list.map(({ name }) => name);
  }
  return { bank, events, pcrs, names };
}

/** What of an image is started, one after the other. Throws as {@link predictUki}. */
export function bootedParts(image: Uint8Array): PeImage & {
  /** Section .linux, and the same as an image of its own. */
  readonly linux: Uint8Array;
  readonly kernel: PeImage;
  /** As the stub hands it over: UTF-16 with its end. */
  readonly loadOptions: Uint8Array;
  readonly archive: Uint8Array;
} {
  const { sections, hashed } = parsePe(image);
  const linux = sectionOf(sections, '.linux');
  const kernel = parsePe(linux);
  const loadOptions = utf16(`${textOf(sectionOf(sections, '.cmdline'))}\0`);
  const archive = sectionOf(sections, '.initrd');
  const stub = textOf(sectionOf(sections, '.sdmagic'));
  if (!KNOWN_STUB.test(stub)) throw new FastnessError('IMAGE_STUB_UNKNOWN', JSON.stringify(stub.slice(0, 64)));
  return { sections, hashed, linux, kernel, loadOptions, archive };
}

/** For each section first its name, then what it holds. */
function sectionEvents(sections: readonly PeSection[]): Event[] {
  return MEASURED.flatMap((name) => {
    const section = sections.find((each) => each.name === name);
    if (section === undefined) return [];
    return [
      { name: `name of ${name}`, hashed: [utf8Encode(`${name}\0`)] },
      { name, hashed: [section.content] },
    ];
  });
}

function sectionOf(sections: readonly PeSection[], name: string): Uint8Array {
  const [section, second] = sections.filter((each) => each.name === name);
  if (section === undefined) throw new FastnessError('IMAGE_NOT_UKI', `It has no section ${name}.`);
  if (second !== undefined) throw new FastnessError('IMAGE_NOT_UKI', `It has two sections ${name}.`);
  return section.content;
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8Decode(bytes);
  } catch (cause) {
    throw new FastnessError('IMAGE_NOT_UKI', 'A section that should be text is not UTF-8.', { cause });
  }
}

/** Little-endian, as firmware keeps text. */
function utf16(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < text.length; index += 1) view.setUint16(index * 2, text.charCodeAt(index), true);
  return bytes;
}

async function digestOf(bank: LogHash, parts: readonly Uint8Array[]): Promise<string> {
  return toHex(new Uint8Array(await globalThis.crypto.subtle.digest(bank, concatBytes(...parts))));
}
