import { ByteReader, toHex, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { eventTypeName } from './layout.ts';
import type { LogEvent } from './parse.ts';
import { RUNTIME_EVENT_ID } from './runtime-event.ts';

/** Characters of what an event says that are shown. */
const MAX_TEXT = 64;
const MAX_VALUE = 4;
/** taggedEventIDs of Linux (drivers/firmware/efi/libstub/efi-stub-helper.c). */
const LINUX_TAGS: ReadonlyMap<number, string> = new Map([
  [0x8f3b_22ec, 'archive'],
  [0x8f3b_22ed, 'command line'],
]);
const GUID_BYTES = 16;
/** Media device path, file path (UEFI 2.10, section 10.3.5.4). */
const FILE_PATH = 0x0404;

type Words = (data: ByteReader) => string;

const words: ReadonlyMap<number, Words> = new Map<number, Words>([
  [0x04, () => 'separator'],
  [0x05, (data) => text(data.take(data.remaining))],
  [0x06, tag],
  [0x0d, (data) => text(data.take(data.remaining))],
  [0x8000_0001, variable],
  [0x8000_0002, variable],
  [0x8000_0003, image],
  [0x8000_0004, image],
  [0x8000_0005, image],
  [0x8000_0006, () => 'partition table'],
  [0x8000_0007, (data) => text(data.take(data.remaining))],
  [0x8000_000a, blob],
  [0x8000_000b, blob],
  [0x8000_00e0, variable],
]);

/**
 * What an event is of, for people, such as `EV_EFI_VARIABLE_DRIVER_CONFIG SecureBoot = 00`; 80 characters at most. Its data say
 * so, and the digest need not be of them: whoever wrote the log can have written anything there, so compare digests.
 */
export function eventWords({ type, data }: Pick<LogEvent, 'type' | 'data'>): string {
  const name = eventTypeName(type);
  let said = '';
  try {
    said = words.get(type)?.(new ByteReader(data)) ?? '';
  } catch (error) {
    // What cannot be read is not shown.
    if (!(error instanceof FastnessError)) throw error;
  }
  return `${name} ${said}`.trim().slice(0, 80);
}

/** Letters of the text, in UTF-8 or UTF-16, that steer no terminal. */
function text(bytes: Uint8Array): string {
  const plain = bytes.length > 1 && bytes[1] === 0 ? bytes.filter((_, index) => index % 2 === 0) : bytes;
  const letters = Array.from(plain, (code) => (code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : ' '));
  return letters.join('').replaceAll(/ +/g, ' ').trim().slice(0, MAX_TEXT);
}

/** UEFI_VARIABLE_DATA: owner, lengths of name (in letters of two bytes) and value, name, value. */
function variable(data: ByteReader): string {
  data.take(GUID_BYTES);
  const [letters, bytes] = [Number(data.u64le()), Number(data.u64le())];
  const name = text(data.take(letters * 2));
  const value = data.take(bytes);
  return `${name} = ${bytes <= MAX_VALUE ? toHex(value) : `${bytes} bytes`}`;
}

/** UEFI_IMAGE_LOAD_EVENT: where it lies in memory, and the device path that it was loaded from. */
function image(data: ByteReader): string {
  data.take(24);
  const path = new ByteReader(data.take(Number(data.u64le())));
  while (path.remaining >= 4) {
    const kind = path.u8() * 256 + path.u8();
    const length = path.u16le() - 4;
    const node = path.take(length);
    if (kind === FILE_PATH) return text(node);
  }
  return 'from memory or firmware';
}

/** UEFI_PLATFORM_FIRMWARE_BLOB2, UEFI_HANDOFF_TABLE_POINTERS2: length and description. */
function blob(data: ByteReader): string {
  return text(data.take(data.u8()));
}

/** TCG_PCClientTaggedEvent. */
function tag(data: ByteReader): string {
  const id = data.u32le();
  const said = data.take(data.u32le());
  if (id === RUNTIME_EVENT_ID) {
    const [, kind = '', digest = ''] = utf8Decode(said).split('\n');
    return text(new TextEncoder().encode(`${kind} ${digest.slice(0, 16)}`));
  }
  return LINUX_TAGS.get(id) ?? text(said);
}
