import { createHash } from 'node:crypto';
import { forgeCertificate, generateKeys, signRaw, type ForgedKeys } from '@fastness/testkit';
import { concatBytes, encodePem, fromHex, utf8Encode } from '@fastness/codec';
import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { encodeSign1 } from '@fastness/codec/cose';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildEif, type EifParts } from '../../../deploy/image/eif.ts';
import { parseEif, predictNitro } from '../src/reference-values/index.ts';
import { eif, type EifPart } from './support/eif-images.ts';
import { codeOf } from './support/errors.ts';

const kernel: EifPart = { type: 1, bytes: utf8Encode('kernel') };
const line: EifPart = { type: 2, bytes: utf8Encode('reboot=k panic=30') };
const boot: EifPart = { type: 3, bytes: utf8Encode('init') };
const application: EifPart = { type: 3, bytes: new Uint8Array(700).fill(7) };
const metadata: EifPart = { type: 5, bytes: utf8Encode('{}') };
const standard = [kernel, line, metadata, boot, application];
const register = (...parts: readonly EifPart[]): string => {
  const inner = createHash('sha384').update(concatBytes(...parts.map(({ bytes }) => bytes)));
  return createHash('sha384').update(new Uint8Array(48)).update(inner.digest()).digest('hex');
};

describe('the measurements of an enclave image', () => {
  it('are of kernel, command line and ramdisks, in their order', async () => {
    const { pcrs, version, architecture, names } = await predictNitro(eif(standard));
    expect(pcrs).toEqual({
      0: register(kernel, line, boot, application),
      1: register(kernel, line, boot),
      2: register(application),
    });
    expect({ version, architecture }).toEqual({ version: 4, architecture: 'x86_64' });
    expect(names['2']).toBe('the other ramdisks');
    const turned = await predictNitro(eif([line, kernel, metadata, boot, application]));
    expect(turned.pcrs['0']).toBe(register(line, kernel, boot, application));
    expect((await predictNitro(eif([kernel, line], { version: 2 }))).version).toBe(2);
  });

  it('with one ramdisk are those that such images are published with', async () => {
    const { pcrs } = await predictNitro(eif([kernel, line, metadata, boot]));
    // Register 2 that projects publish of theirs: Nautilus (its weather example), QuorumOS.
    expect(pcrs['2']).toBe(
      '21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a',
    );
    expect(pcrs['0']).toBe(pcrs['1']);
  });

  it.each([
    ['another magic', eif(standard, { magic: '.elf' }), 'IMAGE_EIF_MALFORMED'],
    ['version 1', eif(standard, { version: 1 }), 'IMAGE_EIF_MALFORMED'],
    ['version 5', eif(standard, { version: 5 }), 'IMAGE_EIF_MALFORMED'],
    ['one section', eif([kernel]), 'IMAGE_EIF_MALFORMED'],
    ['33 sections', eif(standard, { count: 33 }), 'IMAGE_EIF_MALFORMED'],
    ['fewer sections than it says', eif(standard, { count: 6 }), 'IMAGE_EIF_MALFORMED'],
    ['another offset in its header', eif(standard, { offset: 0x224 }), 'IMAGE_EIF_MALFORMED'],
    ['another size in its header', eif(standard, { size: 3 }), 'IMAGE_EIF_MALFORMED'],
    ['an invalid section', eif([...standard, { type: 0, bytes: utf8Encode('x') }]), 'IMAGE_EIF_MALFORMED'],
    ['an unknown section', eif([...standard, { type: 6, bytes: utf8Encode('x') }]), 'IMAGE_EIF_MALFORMED'],
    ['a large signature', eif([...standard, { type: 4, bytes: new Uint8Array(32_769) }]), 'IMAGE_EIF_MALFORMED'],
    ['bytes behind its sections', eif(standard, { after: Uint8Array.of(0) }), 'IMAGE_EIF_MALFORMED'],
    ['half a header', eif(standard).subarray(0, 0x200), 'IMAGE_EIF_MALFORMED'],
    ['half a section', eif(standard).subarray(0, 0x224 + 15), 'IMAGE_EIF_MALFORMED'],
    ['another checksum', eif(standard, { checksum: 1 }), 'IMAGE_EIF_CHECKSUM'],
    ['no kernel', eif([line, metadata, boot]), 'IMAGE_EIF_SECTIONS'],
    ['two kernels', eif([kernel, ...standard]), 'IMAGE_EIF_SECTIONS'],
    ['no command line', eif([kernel, metadata, boot]), 'IMAGE_EIF_SECTIONS'],
    ['two command lines', eif([...standard, line]), 'IMAGE_EIF_SECTIONS'],
    ['no metadata', eif([kernel, line, boot]), 'IMAGE_EIF_SECTIONS'],
    ['metadata twice', eif([...standard, metadata]), 'IMAGE_EIF_SECTIONS'],
    [
      'two signatures',
      eif([...standard, { type: 4, bytes: boot.bytes }, { type: 4, bytes: boot.bytes }]),
      'IMAGE_EIF_SECTIONS',
    ],
    ['a ramdisk before its kernel', eif([boot, ...standard]), 'IMAGE_EIF_SECTIONS'],
  ])('are not computed of one with %s', async (_, image, code) => {
    expect(await codeOf(() => predictNitro(image))).toBe(code);
    expect(await codeOf(() => parseEif(image))).toBe(code);
  });
});

describe('an enclave image that npm run image writes', () => {
  const parts: EifParts = {
    architecture: 'x86_64',
    kernel: kernel.bytes,
    commandLine: 'reboot=k panic=30',
    ramdisks: [boot.bytes, application.bytes],
    metadata: { name: 'fastness', version: '1', operatingSystem: 'Fastness', kernelVersion: '6.6.38' },
  };
  const written = buildEif(parts);

  it('is what another program writes of the same parts, with the same registers', async () => {
    // Both were computed with struct, zlib and hashlib of Python, from the definition of the format.
    expect(createHash('sha256').update(written).digest('hex')).toBe(
      '1e2a2fedb8315e61d8e57443fa6f923e31a8b1e04a7ef2214c5377c6da30afc3',
    );
    const { pcrs } = await predictNitro(written);
    expect(pcrs).toEqual({
      0: 'cd738ecd62ea2fc354945f6aec4fb10b20f987464f6fe3677f2f34e2be8c8eba2832734bb92eaddd6bb69f89bdf69c4c',
      1: 'e1564ba65efd1adbaadb97b40ac5b636f8f9cae607163b4151124d5157b5d81434a08bf6cb9701b27a1ace98dbcd98b0',
      2: 'baed83c3c61b107369af4ca901fd8f1ceb92bf50661a5b060ce28d6d9d762b89706f3bec7477509401f221801f41df5f',
    });
    expect(buildEif(parts)).toEqual(written);
  });

  it('has in each section what was put in, with a signature at its end', async () => {
    const { sections, architecture } = parseEif(
      buildEif({ ...parts, architecture: 'aarch64', signature: utf8Encode('signature') }),
    );
    expect(architecture).toBe('aarch64');
    const kinds = sections.map(({ kind }) => kind);
    expect(kinds).toEqual(['kernel', 'command-line', 'metadata', 'ramdisk', 'ramdisk', 'signature']);
    expect(sections[0]?.content).toEqual(kernel.bytes);
    expect(sections[4]?.content).toEqual(application.bytes);
  });

  it.each([
    ['kernel', { kernel: utf8Encode('kernem') }, 0, ['0', '1']],
    ['command line', { commandLine: 'reboot=k panic=31' }, 1, ['0', '1']],
    ['metadata', { metadata: { ...parts.metadata, version: '2' } }, 2, []],
    ['first archive', { ramdisks: [utf8Encode('inis'), application.bytes] }, 3, ['0', '1']],
    ['second archive', { ramdisks: [boot.bytes, new Uint8Array(700).fill(8)] }, 4, ['0', '2']],
  ])('shows by its sections that the %s differs', async (_, change, place, registers) => {
    const [one, other] = [await predictNitro(written), await predictNitro(buildEif({ ...parts, ...change }))];
    const differ = one.sections.flatMap(({ digest }, index) =>
      digest === other.sections[index]?.digest ? [] : [index],
    );
    expect(differ).toEqual([place]);
    expect(one.sections[place]?.registers.map(String)).toEqual(registers);
    expect(Object.keys(one.pcrs).filter((index) => one.pcrs[index] !== other.pcrs[index])).toEqual(registers);
  });

  it('is refused with a changed byte', async () => {
    const changed = written.slice();
    changed.set([1], changed.length - 1);
    expect(await codeOf(() => predictNitro(changed))).toBe('IMAGE_EIF_CHECKSUM');
  });

  it.each<[string, Partial<EifParts>]>([
    ['no kernel', { kernel: new Uint8Array(0) }],
    ['no archive', { ramdisks: [] }],
    ['a command line of two lines', { commandLine: 'a\nb' }],
    ['too many archives', { ramdisks: Array.from({ length: 30 }, () => boot.bytes) }],
  ])('is not written with %s', (_, change) => {
    expect(() => buildEif({ ...parts, ...change })).toThrow();
  });
});

describe('a signed enclave image', () => {
  let keys: ForgedKeys;
  let others: ForgedKeys;
  let certificate: Uint8Array;
  beforeAll(async () => {
    [keys, others] = await Promise.all([generateKeys('p-384'), generateKeys('p-384')]);
    const validity = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2027-01-01T00:00:00Z') };
    certificate = await forgeCertificate({ subject: 'signer of images', keys, validity });
  });
  const own = register(kernel, line, boot, application);
  const asList = (bytes: Uint8Array): CborValue => Array.from(bytes);
  interface Signing {
    readonly index?: number;
    readonly value?: string;
    readonly by?: ForgedKeys;
    readonly pem?: string;
    readonly extra?: boolean;
    readonly list?: CborValue;
  }
  async function signed({ index = 0, value = own, by = keys, pem, extra = false, list }: Signing): Promise<Uint8Array> {
    const signature = await encodeSign1({
      protectedHeader: new Map([[1, -35]]),
      payload: encodeCbor(
        new Map<string, CborValue>([
          ['register_index', index],
          ['register_value', asList(fromHex(value))],
        ]),
      ),
      sign: async (message) => signRaw(by, { kind: 'ecdsa', hash: 'SHA-384' }, message),
    });
    const entry = new Map<string, CborValue>([
      ['signing_certificate', asList(utf8Encode(pem ?? encodePem(certificate, 'CERTIFICATE')))],
      ['signature', asList(signature)],
      ...(extra ? ([['extra', 0]] as const) : []),
    ]);
    return eif([...standard, { type: 4, bytes: encodeCbor(list ?? [entry]) }]);
  }

  it('has a register for its certificate', async () => {
    const { pcrs } = await predictNitro(await signed({}));
    expect(pcrs['8']).toBe(register({ type: 0, bytes: certificate }));
    expect(pcrs['0']).toBe(own);
  });

  it.each([
    ['is of another register', async () => signed({ index: 1 })],
    ['is of another image', async () => signed({ value: '00'.repeat(48) })],
    ['was made with another key', async () => signed({ by: others })],
    ['has no certificate', async () => signed({ pem: 'none' })],
    ['has two certificates', async () => signed({ pem: encodePem(certificate, 'CERTIFICATE').repeat(2) })],
    ['has another field', async () => signed({ extra: true })],
    [
      'has a certificate that is no bytes',
      async () =>
        signed({
          list: [
            new Map<string, CborValue>([
              ['signing_certificate', [256]],
              ['signature', []],
            ]),
          ],
        }),
    ],
    ['is no list', async () => signed({ list: 1 })],
    ['is an empty list', async () => signed({ list: [] })],
    ['is no CBOR', async () => eif([...standard, { type: 4, bytes: Uint8Array.of(0xff) }])],
  ])('is refused when its signature %s', async (_, make) => {
    const image = await make();
    expect(await codeOf(() => predictNitro(image))).toBe('IMAGE_EIF_SIGNATURE');
  });
});
