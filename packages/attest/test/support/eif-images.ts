import { crc32 } from 'node:zlib';
import { concatBytes, u16be, u32be, u64be, utf8Encode } from '@fastness/codec';

export interface EifPart {
  readonly type: number;
  readonly bytes: Uint8Array;
}
export interface EifTampering {
  readonly magic?: string;
  readonly version?: number;
  readonly count?: number;
  readonly offset?: number;
  readonly size?: number;
  readonly checksum?: number;
  readonly after?: Uint8Array;
}

/** Writes an enclave image; `tamper` makes one thing of its header wrong (offset and size: of the second section). */
export function eif(sections: readonly EifPart[], tamper: EifTampering = {}): Uint8Array {
  let at = 0x224;
  const offsets = sections.map(({ bytes }) => {
    const offset = at;
    at += 12 + bytes.length;
    return offset;
  });
  const sizes = sections.map(({ bytes }) => bytes.length);
  if (tamper.offset !== undefined) offsets[1] = tamper.offset;
  if (tamper.size !== undefined) sizes[1] = tamper.size;
  const list = (values: readonly number[]): Uint8Array =>
    concatBytes(...Array.from({ length: 32 }, (_, index) => u64be(values[index] ?? 0)));
  const header = concatBytes(
    utf8Encode(tamper.magic ?? '.eif'),
    u16be(tamper.version ?? 4),
    u16be(0),
    u64be(1 << 30),
    u64be(2),
    u16be(0),
    u16be(tamper.count ?? sections.length),
    list(offsets),
    list(sizes),
    u32be(0),
  );
  const body = concatBytes(
    ...sections.flatMap(({ type, bytes }) => [u16be(type), u16be(0), u64be(bytes.length), bytes]),
    tamper.after ?? new Uint8Array(0),
  );
  return concatBytes(header, u32be(tamper.checksum ?? crc32(concatBytes(header, body))), body);
}
