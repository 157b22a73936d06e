import { concatBytes, u16le, u32le, utf8Encode } from '@fastness/codec';

export interface Section {
  readonly name: string;
  readonly bytes: Uint8Array;
}
export const HEADERS = 1024;
const pad = (bytes: Uint8Array, size: number): Uint8Array => {
  const whole = new Uint8Array(size);
  whole.set(bytes);
  return whole;
};
const up = (value: number): number => Math.ceil(value / 512) * 512;

/** A PE image with nothing in it but what a reader of measurements looks at. */
export function pe(sections: readonly Section[], certificates = new Uint8Array(0)): Uint8Array {
  let offset = HEADERS;
  const table = sections.map(({ name, bytes }, index) => {
    const at = offset;
    offset += up(bytes.length);
    const raw = [u32le(bytes.length), u32le(0x1000 * (index + 1)), u32le(up(bytes.length)), u32le(at)];
    return pad(concatBytes(pad(utf8Encode(name), 8), ...raw), 40);
  });
  const optional = pad(Uint8Array.of(0x0b, 0x02), 240);
  optional.set(u32le(HEADERS), 60);
  optional.set(u32le(0xdead_beef), 64);
  optional.set(u32le(16), 108);
  optional.set(concatBytes(u32le(certificates.length === 0 ? 0 : offset), u32le(certificates.length)), 112 + 32);
  const file = concatBytes(
    pad(concatBytes(Uint8Array.of(0x4d, 0x5a)), 0x3c),
    u32le(0x80),
    new Uint8Array(0x40),
    utf8Encode('PE\0\0'),
    pad(concatBytes(u16le(0x8664), u16le(sections.length)), 16),
    u16le(optional.length),
    u16le(0x22),
    optional,
    ...table,
  );
  return concatBytes(pad(file, HEADERS), ...sections.map(({ bytes }) => pad(bytes, up(bytes.length))), certificates);
}

export const kernel = pe([{ name: '.text', bytes: utf8Encode('kernel') }]);
export const standard: readonly Section[] = [
  { name: '.text', bytes: utf8Encode('stub') },
  { name: '.sdmagic', bytes: utf8Encode('#### LoaderInfo: systemd-stub 252.39-1 ####') },
  { name: '.osrel', bytes: utf8Encode('ID=fastness') },
  { name: '.cmdline', bytes: utf8Encode('quiet ü') },
  { name: '.initrd', bytes: new Uint8Array(700).fill(3) },
  { name: '.linux', bytes: kernel },
];

/** An image with every section that is needed, some of them replaced. */
export function uki(sections: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  return pe(standard.map(({ name, bytes }) => ({ name, bytes: sections[name] ?? bytes })));
}
