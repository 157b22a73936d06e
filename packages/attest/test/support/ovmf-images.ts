import { concatBytes, fromHex, u16le, u32le, utf8Encode } from '@fastness/codec';

export type OvmfPart = readonly [address: number, length: number, type: number];
export interface OvmfLayout {
  readonly sections: readonly OvmfPart[];
  readonly hashes?: number;
  readonly reset?: boolean;
  readonly metadata?: boolean;
  /** Replaces the header of the metadata. */
  readonly header?: Uint8Array;
  /** Offset of the metadata from the end. */
  readonly offset?: number;
  readonly tableLength?: number;
  readonly entries?: readonly Uint8Array[];
  readonly pages?: number;
}
const METADATA = 0x554;
const guid = (text: string): Uint8Array => {
  const bytes = fromHex(text.replaceAll('-', ''));
  for (const [from, to] of [
    [0, 4],
    [4, 6],
    [6, 8],
  ] as const) {
    bytes.subarray(from, to).reverse();
  }
  return bytes;
};
export const entry = (name: string, content: Uint8Array): Uint8Array =>
  concatBytes(content, u16le(content.length + 18), guid(name));
export const RESET = '00f771de-1a7e-4fcb-890e-68c77e2fb44e';

/** A firmware with nothing in it but what says how a machine is started. */
export function ovmf(layout: OvmfLayout): Uint8Array {
  const { sections, hashes = 0, reset = true, metadata = true, offset = METADATA, entries = [], pages = 1 } = layout;
  const bytes = new Uint8Array(pages * 4096);
  const header = concatBytes(utf8Encode('ASEV'), u32le(16 + 12 * sections.length), u32le(1), u32le(sections.length));
  const list = concatBytes(...sections.flatMap((section) => section.map((value) => u32le(value))));
  bytes.set(concatBytes(layout.header ?? header, list), bytes.length - METADATA);
  const all = concatBytes(
    ...entries,
    ...(metadata ? [entry('dc886566-984a-4798-a75e-5585a7bf67cc', u32le(offset))] : []),
    entry('7255371f-3a3b-4b04-927b-1da6efa8d454', concatBytes(u32le(hashes), u32le(0x400))),
    ...(reset ? [entry(RESET, u32le(0x80_b004))] : []),
  );
  const table = concatBytes(
    all,
    u16le(layout.tableLength ?? all.length + 18),
    guid('96b582de-1fb2-45f7-baea-a366c55a082d'),
  );
  bytes.set(table, bytes.length - 32 - table.length);
  return bytes;
}

/** What edk2-stable202405 declares in its AmdSevX64 build. */
export const amdSev: OvmfLayout = {
  hashes: 0x81_0c00,
  sections: [
    [0x80_0000, 0x9000, 1],
    [0x80_a000, 0x3000, 1],
    [0x80_d000, 0x1000, 2],
    [0x80_e000, 0x1000, 3],
    [0x80_f000, 0x1000, 4],
    [0x81_0000, 0x1000, 0x10],
    [0x81_1000, 0xf000, 1],
  ],
};
/** And in its OvmfPkgX64 build, which boots no kernel directly. */
export const ovmfX64: OvmfLayout = { sections: [...amdSev.sections.slice(0, 5), [0x81_0000, 0x1_0000, 1]] };
