import { createHash } from 'node:crypto';
import { concatBytes, u16le, u32le, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { replayDigests } from '../src/event-log/index.ts';
import { parsePe, predictUki } from '../src/reference-values/index.ts';
import { HEADERS, kernel, pe, standard, type Section } from './support/pe-images.ts';

const replaced = (name: string, bytes?: Uint8Array): Section[] =>
  standard.flatMap((section) => (section.name !== name ? [section] : bytes === undefined ? [] : [{ name, bytes }]));
const sha256 = (...parts: readonly Uint8Array[]): string =>
  createHash('sha256')
    .update(concatBytes(...parts))
    .digest('hex');
async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'done';
  } catch (error) {
    return error instanceof FastnessError ? error.code : String(error);
  }
}

describe('the measurements of a unified kernel image', () => {
  it('are those of firmware, stub and kernel', async () => {
    const image = pe(standard);
    const { events, pcrs, names } = await predictUki(image);
    const optional = 0x80 + 24;
    const authenticode = (bytes: Uint8Array): string =>
      sha256(
        bytes.subarray(0, optional + 64),
        bytes.subarray(optional + 68, optional + 112 + 32),
        bytes.subarray(optional + 112 + 40),
      );
    expect(events['4']).toEqual([
      sha256(utf8Encode('Calling EFI Application from Boot Option')),
      sha256(new Uint8Array(4)),
      authenticode(image),
      authenticode(kernel),
    ]);
    const line = concatBytes(...Array.from('quiet ü\0', (letter) => u16le(letter.charCodeAt(0))));
    expect(events['9']).toEqual([sha256(line), sha256(new Uint8Array(700).fill(3))]);
    expect(names['11']).toEqual([
      'name of .linux',
      '.linux',
      'name of .osrel',
      '.osrel',
      'name of .cmdline',
      '.cmdline',
      'name of .initrd',
      '.initrd',
    ]);
    expect(events['11']?.slice(0, 2)).toEqual([sha256(utf8Encode('.linux\0')), sha256(kernel)]);
    for (const index of ['4', '9', '11']) {
      expect(pcrs[index]).toBe(await replayDigests(events[index] ?? [], { hash: 'SHA-256' }));
    }
    expect((await predictUki(image, { bank: 'SHA-384' })).pcrs['11']).toHaveLength(96);
  });

  it('do not change when the image is signed, and change with every part', async () => {
    const { pcrs } = await predictUki(pe(standard));
    expect((await predictUki(pe(standard, new Uint8Array(64).fill(9)))).pcrs).toEqual(pcrs);
    for (const [name, registers] of [
      ['.text', ['4']],
      ['.osrel', ['4', '11']],
      ['.cmdline', ['4', '9', '11']],
      ['.initrd', ['4', '9', '11']],
    ] as const) {
      const changed = (await predictUki(pe(replaced(name, utf8Encode('other'))))).pcrs;
      const differing = Object.keys(pcrs).filter((index) => pcrs[index] !== changed[index]);
      expect(differing, name).toEqual(registers);
    }
  });

  it.each([
    ['no kernel', replaced('.linux'), 'IMAGE_NOT_UKI'],
    ['no command line', replaced('.cmdline'), 'IMAGE_NOT_UKI'],
    ['no archive', replaced('.initrd'), 'IMAGE_NOT_UKI'],
    ['two archives', [...standard, { name: '.initrd', bytes: utf8Encode('x') }], 'IMAGE_NOT_UKI'],
    ['a command line that is no text', replaced('.cmdline', Uint8Array.of(0xff)), 'IMAGE_NOT_UKI'],
    ['no word about its stub', replaced('.sdmagic'), 'IMAGE_NOT_UKI'],
    [
      'a stub that measures otherwise',
      replaced('.sdmagic', utf8Encode('#### LoaderInfo: systemd-stub 255 ####')),
      'IMAGE_STUB_UNKNOWN',
    ],
    ['a kernel that is none', replaced('.linux', utf8Encode('kernel')), 'IMAGE_PE_MALFORMED'],
  ] as const)('are not computed of an image with %s', async (_, sections, code) => {
    expect(await codeOf(() => predictUki(pe(sections)))).toBe(code);
  });
});

describe('a PE image', () => {
  const image = pe(standard);
  const edited = (at: number, bytes: Uint8Array): Uint8Array => {
    const copy = image.slice();
    copy.set(bytes, at);
    return copy;
  };
  const optional = 0x80 + 24;
  const firstSection = optional + 240;
  it.each([
    ['is empty', new Uint8Array(0)],
    ['ends in its header', image.subarray(0, 200)],
    ['ends in a section', image.subarray(0, HEADERS + 100)],
    ['does not begin as one', edited(0, Uint8Array.of(0))],
    ['has no PE header', edited(0x80, Uint8Array.of(0))],
    ['has its header outside', edited(0x3c, u32le(0xffff_fff0))],
    ['is for a 32-bit machine', edited(optional, Uint8Array.of(0x0b, 0x01))],
    ['has no sections', edited(0x86, u16le(0))],
    ['has too many sections', edited(0x86, u16le(0xffff))],
    ['has no place for certificates', edited(optional + 108, u32le(4))],
    ['lists sections outside its header', edited(optional + 60, u32le(0x200))],
    ['has sections that overlap', edited(firstSection + 40 + 20, u32le(HEADERS))],
    ['has a section in its header', edited(firstSection + 20, u32le(64))],
    ['has more certificates than bytes', edited(optional + 112 + 36, u32le(0x7fff_ffff))],
    ['has a section without a readable name', edited(firstSection, Uint8Array.of(0xff))],
  ])('is refused when it %s', async (_, bytes) => {
    expect(await codeOf(() => parsePe(bytes))).toBe('IMAGE_PE_MALFORMED');
  });
});
