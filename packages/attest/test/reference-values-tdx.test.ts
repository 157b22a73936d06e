import { createHash } from 'node:crypto';
import { concatBytes, u32le, u64be, utf8Encode } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import { predictTdx } from '../src/reference-values/index.ts';
import { codeOf } from './support/errors.ts';
import { entry, ovmf } from './support/ovmf-images.ts';

interface Section {
  readonly offset?: number;
  readonly size?: number;
  readonly address: number | bigint;
  readonly length: number | bigint;
  readonly attributes?: number;
}
const PAGES = 2;
const METADATA = 0x700;
const u64le = (value: number | bigint): Uint8Array => u64be(value).toReversed();

/** A firmware of two pages with TDVF metadata; `header` replaces theirs, `offset` is where they are said to be. */
function tdvf(
  sections: readonly Section[],
  { header, offset = METADATA }: { readonly header?: Uint8Array; readonly offset?: number } = {},
): Uint8Array {
  const bytes = ovmf({
    sections: [[0x80_0000, 0x1000, 1]],
    pages: PAGES,
    entries: [entry('e47a6535-984a-4798-865e-4685a7bf8ec2', u32le(offset))],
  });
  const list = sections.flatMap(({ offset: from = 0, size = 0, address, length, attributes = 0 }) => [
    u32le(from),
    u32le(size),
    u64le(address),
    u64le(length),
    u32le(0),
    u32le(attributes),
  ]);
  const own = concatBytes(utf8Encode('TDVF'), u32le(16 + 32 * sections.length), u32le(1), u32le(sections.length));
  bytes.set(concatBytes(header ?? own, ...list), bytes.length - METADATA);
  return bytes;
}

const code: Section = { offset: 0, size: 0x2000, address: 0xffff_e000, length: 0x2000, attributes: 1 };
const memory: Section = { address: 0x80_9000, length: 0x1000 };
const later: Section = { address: 0x90_0000, length: 0x1000, attributes: 2 };

describe('MRTD of a trust domain', () => {
  const record = (name: string, address: number): Uint8Array => {
    const bytes = new Uint8Array(128);
    bytes.set(utf8Encode(name));
    bytes.set(u64le(address), 16);
    return bytes;
  };
  const content = (image: Uint8Array, page: number): Uint8Array[] =>
    Array.from({ length: 16 }, (_, index) => page * 4096 + index * 256).flatMap((at) => [
      record('MR.EXTEND', 0xffff_e000 + at),
      image.subarray(at, at + 256),
    ]);
  const hash = (...parts: readonly Uint8Array[]): string =>
    createHash('sha384')
      .update(concatBytes(...parts))
      .digest('hex');

  it('is of every page that is added, in either order, and of none that comes later', async () => {
    const image = tdvf([code, later, memory]);
    const [first, second, third] = [0xffff_e000, 0xffff_f000, 0x80_9000].map((at) => record('MEM.PAGE.ADD', at));
    if (first === undefined || second === undefined || third === undefined) throw new Error('three records');
    const byPage = hash(first, ...content(image, 0), second, ...content(image, 1), third);
    const bySection = hash(first, second, ...content(image, 0), ...content(image, 1), third);
    expect((await predictTdx(image)).mrtd).toBe(byPage);
    expect((await predictTdx(image, { order: 'page' })).mrtd).toBe(byPage);
    expect((await predictTdx(image, { order: 'section' })).mrtd).toBe(bySection);
  });

  const header = (magic: string, length: number, version: number, count: number): { readonly header: Uint8Array } => ({
    header: concatBytes(utf8Encode(magic), u32le(length), u32le(version), u32le(count)),
  });
  it.each<[string, Uint8Array, string]>([
    ['no table of GUIDs', new Uint8Array(4096), 'IMAGE_OVMF_MALFORMED'],
    ['half a page', new Uint8Array(2048), 'IMAGE_OVMF_MALFORMED'],
    ['no metadata', ovmf({ sections: [[0x80_0000, 0x1000, 1]] }), 'IMAGE_TDVF_METADATA'],
    ['metadata before it', tdvf([code], { offset: 9000 }), 'IMAGE_OVMF_MALFORMED'],
    ['metadata behind it', tdvf([code], { offset: 8 }), 'IMAGE_OVMF_MALFORMED'],
    ['other metadata', tdvf([code], header('ASEV', 48, 1, 1)), 'IMAGE_OVMF_MALFORMED'],
    ['metadata of version 2', tdvf([code], header('TDVF', 48, 2, 1)), 'IMAGE_OVMF_MALFORMED'],
    ['metadata of another length', tdvf([code], header('TDVF', 49, 1, 1)), 'IMAGE_OVMF_MALFORMED'],
    ['no section', tdvf([]), 'IMAGE_OVMF_MALFORMED'],
    ['too many sections', tdvf([code], header('TDVF', 16 + 65 * 32, 1, 65)), 'IMAGE_OVMF_MALFORMED'],
    ['a section out of reach', tdvf([{ ...memory, address: 1n << 52n }]), 'IMAGE_OVMF_MALFORMED'],
    ['a page off its place', tdvf([{ ...memory, address: 0x80_9800 }]), 'IMAGE_OVMF_MALFORMED'],
    ['half a page in a section', tdvf([{ ...memory, length: 0x800 }]), 'IMAGE_OVMF_MALFORMED'],
    ['content behind its end', tdvf([{ ...code, offset: 0x1000 }]), 'IMAGE_OVMF_MALFORMED'],
    ['content larger than its place', tdvf([{ ...code, length: 0x1000 }]), 'IMAGE_OVMF_MALFORMED'],
    ['less content than is measured', tdvf([{ ...code, size: 0x1000 }]), 'IMAGE_OVMF_MALFORMED'],
    ['content that comes later', tdvf([{ ...code, attributes: 3 }]), 'IMAGE_OVMF_MALFORMED'],
    ['unknown attributes', tdvf([{ ...code, attributes: 4 }]), 'IMAGE_OVMF_MALFORMED'],
    ['sections that overlap', tdvf([memory, memory]), 'IMAGE_OVMF_MALFORMED'],
    ['too much memory', tdvf([{ ...memory, length: (256 << 20) + 4096 }]), 'IMAGE_OVMF_MALFORMED'],
  ])('is not computed of a firmware with %s', async (_, image, refusal) => {
    expect(await codeOf(predictTdx(image))).toBe(refusal);
  });
});
