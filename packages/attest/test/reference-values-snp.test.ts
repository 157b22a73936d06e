import { createHash } from 'node:crypto';
import { concatBytes, fromHex, u16le, u32le, u64be, utf8Encode } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import { imageKindOf, parseOvmf, predictSnp, type SnpMachine } from '../src/reference-values/index.ts';
import { firmwareDigest, predictSnpAfter } from '../src/reference-values/snp.ts';
import { codeOf } from './support/errors.ts';
import { amdSev, entry, ovmf, ovmfX64, RESET, type OvmfLayout, type OvmfPart } from './support/ovmf-images.ts';

const nothing = new Uint8Array(0);
const kernel = (commandLine = ''): NonNullable<SnpMachine['kernel']> => ({ image: nothing, commandLine });
const qemu: SnpMachine = { processors: 1, processor: 'EPYC-v4' };

describe('the launch digest of a machine with SEV-SNP', () => {
  // Known answers of virtee/sev-snp-measure 0.0.13 (tests/test_guest.py): its last page of that firmware has this digest.
  const known = fromHex(
    '086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa16aff8c374c2a55c467a50da6d466b74',
  );
  it.each<[string, SnpMachine, string]>([
    [
      'a kernel and SEV_FEATURES 0x21',
      { ...qemu, features: 0x21n, kernel: kernel() },
      '329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae15d22efc78fb9683632b9b50e4e1d7fa41179ef98a7ef198',
    ],
    [
      'a command line',
      { ...qemu, kernel: kernel('console=ttyS0 loglevel=7') },
      '6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa',
    ],
    [
      'no kernel',
      { ...qemu, processor: 0x80_0f12 },
      '19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d',
    ],
    [
      'four processors',
      { ...qemu, processors: 4, kernel: kernel() },
      '5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046ad5',
    ],
    [
      'the hypervisor of EC2',
      { processors: 1, hypervisor: 'ec2', kernel: kernel() },
      '0883bd0eeb716e65b7b977a321c278d1e51b33b5c655fab985443bbcc65c086b9c15e8a0bd8811050dec7e24964e5056',
    ],
    [
      'the hypervisor of Google and four processors',
      { processors: 4, hypervisor: 'gce', kernel: kernel() },
      '5c5debf100fc339f90276e761ee1f1658d08922c3b20e2a2e6c7a6c3370b2452a15a00eae11886a93d6fd1e7ab81e29d',
    ],
  ])('is the known one with %s', async (_, machine, answer) => {
    const { launchDigest, coversKernel } = await predictSnpAfter(known, parseOvmf(ovmf(amdSev)), machine);
    expect(launchDigest).toBe(answer);
    expect(coversKernel).toBe(machine.kernel !== undefined);
  });

  it('begins with every page of the firmware, which ends at 4 GiB', async () => {
    const image = ovmf({ ...ovmfX64, pages: 2 });
    const sha384 = (...parts: readonly Uint8Array[]): Uint8Array =>
      new Uint8Array(
        createHash('sha384')
          .update(concatBytes(...parts))
          .digest(),
      );
    let digest: Uint8Array = new Uint8Array(48);
    for (const [index, address] of [0xffff_e000, 0xffff_f000].entries()) {
      const page = sha384(image.subarray(index * 4096, (index + 1) * 4096));
      digest = sha384(digest, page, fromHex('700001000000'), fromHex('0000'), u64be(address).toReversed());
    }
    expect(await firmwareDigest(parseOvmf(image))).toEqual(digest);
    const { launchDigest } = await predictSnp(image, qemu);
    expect(launchDigest).toBe((await predictSnpAfter(digest, parseOvmf(image), qemu)).launchDigest);
    expect(imageKindOf(image)).toBe('ovmf');
  });

  it.each<[string, OvmfLayout, SnpMachine, string]>([
    ['no page for hashes', ovmfX64, { ...qemu, kernel: kernel() }, 'IMAGE_OVMF_NO_KERNEL_HASHES'],
    ['no address for hashes', { ...amdSev, hashes: 0 }, { ...qemu, kernel: kernel() }, 'IMAGE_OVMF_NO_KERNEL_HASHES'],
    [
      'hashes before their page',
      { ...amdSev, hashes: 0x80_fc00 },
      { ...qemu, kernel: kernel() },
      'IMAGE_OVMF_MALFORMED',
    ],
    [
      'hashes beyond their page',
      { ...amdSev, hashes: 0x81_0fc0 },
      { ...qemu, kernel: kernel() },
      'IMAGE_OVMF_MALFORMED',
    ],
    ['no processor', amdSev, { ...qemu, processors: 0 }, 'IMAGE_MACHINE_INVALID'],
    ['half a processor', amdSev, { ...qemu, processors: 1.5 }, 'IMAGE_MACHINE_INVALID'],
    ['too many processors', amdSev, { ...qemu, processors: 513 }, 'IMAGE_MACHINE_INVALID'],
    ['an unknown processor', amdSev, { ...qemu, processor: 'Xeon' }, 'IMAGE_MACHINE_INVALID'],
    ['a name of no processor', amdSev, { ...qemu, processor: 'toString' }, 'IMAGE_MACHINE_INVALID'],
    ['no kind of processor', amdSev, { processors: 1 }, 'IMAGE_MACHINE_INVALID'],
    ['a large signature', amdSev, { ...qemu, processor: 2 ** 32 }, 'IMAGE_MACHINE_INVALID'],
    ['large features', amdSev, { ...qemu, features: 1n << 64n }, 'IMAGE_MACHINE_INVALID'],
    ['negative features', amdSev, { ...qemu, features: -1n }, 'IMAGE_MACHINE_INVALID'],
  ])('is not computed with %s', async (_, layout, machine, code) => {
    expect(await codeOf(predictSnp(ovmf(layout), machine))).toBe(code);
  });
});

describe('a firmware', () => {
  const one = (...section: OvmfPart): OvmfLayout => ({ sections: [section] });
  const header = (magic: string, length: number, version: number, count: number): OvmfLayout => ({
    ...amdSev,
    header: concatBytes(utf8Encode(magic), u32le(length), u32le(version), u32le(count)),
  });
  it.each<[string, Uint8Array, string]>([
    ['is empty', nothing, 'IMAGE_OVMF_MALFORMED'],
    ['is not of whole pages', ovmf(amdSev).subarray(1), 'IMAGE_OVMF_MALFORMED'],
    ['is too large', new Uint8Array((64 << 20) + 4096), 'IMAGE_OVMF_MALFORMED'],
    ['has no table', new Uint8Array(4096), 'IMAGE_OVMF_MALFORMED'],
    ['has a table shorter than its end', ovmf({ ...amdSev, tableLength: 17 }), 'IMAGE_OVMF_MALFORMED'],
    ['has a table longer than itself', ovmf({ ...amdSev, tableLength: 5000 }), 'IMAGE_OVMF_MALFORMED'],
    ['has a table that cuts an entry', ovmf({ ...amdSev, tableLength: 50 }), 'IMAGE_OVMF_MALFORMED'],
    [
      'has an entry shorter than its head',
      ovmf({ ...amdSev, entries: [concatBytes(u16le(17), new Uint8Array(16))] }),
      'IMAGE_OVMF_MALFORMED',
    ],
    ['has an entry twice', ovmf({ ...amdSev, entries: [entry(RESET, u32le(1))] }), 'IMAGE_OVMF_MALFORMED'],
    [
      'has an entry that is too short',
      ovmf({ ...amdSev, reset: false, entries: [entry(RESET, nothing)] }),
      'IMAGE_OVMF_MALFORMED',
    ],
    ['has no metadata', ovmf({ ...amdSev, metadata: false }), 'IMAGE_OVMF_METADATA'],
    ['has no reset block', ovmf({ ...amdSev, reset: false }), 'IMAGE_OVMF_METADATA'],
    ['has its metadata before it', ovmf({ ...amdSev, offset: 5000 }), 'IMAGE_OVMF_MALFORMED'],
    ['has its metadata behind it', ovmf({ ...amdSev, offset: 8 }), 'IMAGE_OVMF_MALFORMED'],
    ['has other metadata', ovmf(header('TDVF', 100, 1, 7)), 'IMAGE_OVMF_MALFORMED'],
    ['has metadata of version 2', ovmf(header('ASEV', 100, 2, 7)), 'IMAGE_OVMF_MALFORMED'],
    ['has metadata of another length', ovmf(header('ASEV', 101, 1, 7)), 'IMAGE_OVMF_MALFORMED'],
    ['has metadata without sections', ovmf({ sections: [] }), 'IMAGE_OVMF_MALFORMED'],
    ['has too many sections', ovmf(header('ASEV', 16 + 65 * 12, 1, 65)), 'IMAGE_OVMF_MALFORMED'],
    ['has an unknown section', ovmf(one(0x80_0000, 0x1000, 5)), 'IMAGE_OVMF_MALFORMED'],
    ['has an empty section', ovmf(one(0x80_0000, 0, 1)), 'IMAGE_OVMF_MALFORMED'],
    ['has half a page', ovmf(one(0x80_0000, 0x1800, 1)), 'IMAGE_OVMF_MALFORMED'],
    ['has a page off its place', ovmf(one(0x80_0800, 0x1000, 1)), 'IMAGE_OVMF_MALFORMED'],
    ['has two pages of secrets', ovmf(one(0x80_0000, 0x2000, 2)), 'IMAGE_OVMF_MALFORMED'],
    [
      'has secrets in two places',
      ovmf({
        sections: [
          [0x80_0000, 0x1000, 2],
          [0x80_1000, 0x1000, 2],
        ],
      }),
      'IMAGE_OVMF_MALFORMED',
    ],
    [
      'has sections that overlap',
      ovmf({
        sections: [
          [0x80_0000, 0x2000, 1],
          [0x80_1000, 0x1000, 2],
        ],
      }),
      'IMAGE_OVMF_MALFORMED',
    ],
    ['has a section over itself', ovmf(one(0xffff_f000, 0x1000, 1)), 'IMAGE_OVMF_MALFORMED'],
    ['declares too much memory', ovmf(one(0x80_0000, 0x1000_1000, 1)), 'IMAGE_OVMF_MALFORMED'],
  ])('is refused when it %s', async (_, image, code) => {
    expect(await codeOf(() => parseOvmf(image))).toBe(code);
  });

  it('of another kind is no image', async () => {
    for (const image of [nothing, utf8Encode('\u007fELF'), new Uint8Array(4096)]) {
      expect(await codeOf(() => imageKindOf(image))).toBe('IMAGE_KIND_UNKNOWN');
    }
    expect(imageKindOf(utf8Encode('.eif'))).toBe('eif');
    expect(imageKindOf(utf8Encode('MZ'))).toBe('uki');
  });
});
