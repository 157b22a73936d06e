import { createHash } from 'node:crypto';
import { concatBytes, fromHex, u16le, u32le, utf8Encode } from '@fastness/codec';
import { forgeEventLog } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { parseEventLog, replayDigests } from '../src/event-log/index.ts';
import {
  compareRtmrLog,
  parsePe,
  predictDirectRtmrs,
  predictUkiRtmrs,
  type PredictedRtmr,
} from '../src/reference-values/index.ts';
import { codeOf } from './support/errors.ts';
import { pe, uki } from './support/pe-images.ts';
import { readVectorText, vectorsPresent } from './support/vectors.ts';

const PROTOCOL = fromHex('3d1a7596f472a641ffffffa794ed5d0e67ae6b');
const sha384 = (...parts: readonly Uint8Array[]): string =>
  createHash('sha384')
    .update(concatBytes(...parts))
    .digest('hex');
const utf16 = (text: string): Uint8Array =>
  concatBytes(...Array.from(`${text}\0`, (letter) => u16le(letter.charCodeAt(0))));

/** A kernel with the header of a bzImage and, in its code, the identifier of the protocol. */
function bzImage({
  code = PROTOCOL,
  protocol = 0x20f,
  flags = 0x7f,
}: { code?: Uint8Array; protocol?: number; flags?: number } = {}) {
  const image = pe([{ name: '.text', bytes: concatBytes(utf8Encode('= kernel'), code) }]);
  image.set(utf8Encode('HdrS'), 0x202);
  image.set(u16le(protocol), 0x206);
  image.set(u16le(flags), 0x236);
  return image;
}
const kernel = bzImage();
const archive = new Uint8Array(5000).fill(7);
const machine = { image: kernel, archive, commandLine: 'quiet' };
const eventOf = (list: readonly PredictedRtmr[], name: string): (string | undefined)[] =>
  list.map(({ events, names }) => events[names.indexOf(name)]);

describe('run-time registers of a trust domain', () => {
  it('are of the kernel as the file has it and as older hosts rewrite it', async () => {
    const { 1: kernels } = await predictDirectRtmrs(machine);
    const rewritten = kernel.slice();
    for (const [at, bytes] of [
      [0x210, Uint8Array.of(0xb0, 0x80)],
      // The archive ends where ACPI tables begin, 0x28000 bytes below 2 GiB.
      [0x218, u32le(0x7ffd_7fff - 5000 - ((0x7ffd_7fff - 5000) % 4096))],
      [0x21c, u32le(5000)],
      [0x224, u16le(0xfe00)],
      [0x228, u32le(0x2_0000)],
    ] as const)
      rewritten.set(bytes, at);
    expect(eventOf(kernels, 'kernel')).toEqual([kernel, rewritten].map((image) => sha384(...parsePe(image).hashed)));
    for (const { value, events } of kernels) expect(value).toBe(await replayDigests(events));
  });

  it('hold the command line with the word that firmware adds for the archive', async () => {
    const { 2: lines } = await predictDirectRtmrs(machine);
    expect(eventOf(lines, 'command line')).toEqual(
      ['initrd=initrd quiet', 'quiet initrd=initrd'].map((line) => sha384(utf16(line))),
    );
    expect(eventOf(lines, 'archive')).toEqual([sha384(archive), sha384(archive)]);
    const bare = await predictDirectRtmrs({ image: kernel, commandLine: 'quiet' });
    expect(bare[2].map(({ events }) => events)).toEqual([[sha384(utf16('quiet'))]]);
    expect((await predictDirectRtmrs({ image: kernel }))[2][0]?.value).toBe('00'.repeat(48));
  });

  it.each([
    ['the kernel', { ...machine, image: bzImage({ code: concatBytes(PROTOCOL, Uint8Array.of(1)) }) }, 'kernel'],
    ['the archive', { ...machine, archive: archive.with(0, 8) }, 'archive'],
    ['the command line', { ...machine, commandLine: 'quie7' }, 'command line'],
  ])('differ in one event when %s is another', async (_, other, name) => {
    const [before, after] = await Promise.all([predictDirectRtmrs(machine), predictDirectRtmrs(other)]);
    const register = name === 'kernel' ? 1 : 2;
    const [was, is] = [before[register][0], after[register][0]];
    const differing = was?.names.filter((_name, place) => was.events[place] !== is?.events[place]);
    expect(differing).toEqual([name]);
    expect(before[register].map(({ value }) => value)).not.toContain(is?.value);
    const untouched = register === 1 ? 2 : 1;
    expect(before[untouched][0]).toEqual(after[untouched][0]);
  });

  it.each([
    ['is of an older protocol', { ...machine, image: bzImage({ protocol: 0x20b }) }],
    ['gets a command line that changes more', { ...machine, commandLine: 'quiet vga=791' }],
  ])('are of the file alone when the kernel %s', async (_, given) => {
    expect((await predictDirectRtmrs(given))[1]).toHaveLength(1);
  });

  it('are those of a unified kernel image whose stub measures nothing', async () => {
    const image = uki({ '.linux': kernel });
    const { 1: programs, 2: lines } = await predictUkiRtmrs(image);
    expect(programs[0]?.names.slice(2, 4)).toEqual(['unified kernel image', 'kernel']);
    expect(programs[0]?.events.slice(2, 4)).toEqual([image, kernel].map((each) => sha384(...parsePe(each).hashed)));
    expect(lines[0]?.events).toEqual([sha384(utf16('quiet ü')), sha384(new Uint8Array(700).fill(3))]);
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['its first half', PROTOCOL.subarray(0, 8)],
    ['its second half', PROTOCOL.subarray(8)],
    ['it cut short', PROTOCOL.subarray(0, 18)],
  ])('are not computed of a kernel that has %s of the protocol', async (_, code) => {
    const image = bzImage({ code });
    const refusal = 'IMAGE_KERNEL_NOT_MEASURING';
    expect(await codeOf(predictDirectRtmrs({ ...machine, image }))).toBe(refusal);
    expect(await codeOf(predictUkiRtmrs(uki({ '.linux': image })))).toBe(refusal);
  });
});

describe('the log of a boot', () => {
  const texts = ['Exit Boot Services Invocation', 'Exit Boot Services Returned with Success'].map(utf8Encode);
  const parts = {
    kernel: concatBytes(...parsePe(kernel).hashed),
    line: utf16('quiet initrd=initrd'),
    archive,
    more: [] as Uint8Array[],
  };
  /** A CCEL: MRTD is its register 0. */
  const compareTo = async (changed: Partial<typeof parts>): Promise<ReturnType<typeof compareRtmrLog>> => {
    const { kernel: image, line, archive: files, more } = { ...parts, ...changed };
    const first = [image, utf8Encode('Calling EFI Application from Boot Option'), new Uint8Array(4), ...texts];
    const log = await forgeEventLog([
      { pcr: 1, type: 4, data: utf8Encode('memory map') },
      ...first.map((data) => ({ pcr: 2, type: 4, data })),
      ...[line, files, ...more].map((data) => ({ pcr: 3, type: 6, data })),
    ]);
    return compareRtmrLog(parseEventLog(log), await predictDirectRtmrs(machine));
  };

  it('leads to one of the values that were predicted', async () => {
    const { 1: kernels, 2: lines } = await predictDirectRtmrs(machine);
    expect(await compareTo({})).toEqual({ 1: kernels[0], 2: lines[1] });
  });

  it.each([
    ['kernel', { kernel: utf8Encode('another') }, 'RTMR1, event 1 (kernel): '],
    ['command line', { line: utf16('quie7 initrd=initrd') }, 'RTMR2, event 1 (command line): '],
    ['archive', { archive: archive.with(0, 8) }, 'RTMR2, event 2 (archive): '],
    ['number of events', { more: [archive] }, 'RTMR2, event 3 (one more than expected): '],
  ])('of another %s is refused by the name of its event', async (_, changed, detail) => {
    const refusal: unknown = await compareTo(changed).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'IMAGE_EVENT_DIFFERS', detail: expect.stringContaining(detail) as unknown });
  });
});

describe.skipIf(!vectorsPresent)('a trust domain on hardware, of which the log was recorded', () => {
  it('has the same events around its kernel and in the same order', async () => {
    const recorded = readVectorText('tdx/Dstack-TEE__dstack/dstack/verifier/fixtures/quote-report.json');
    const { event_log } = JSON.parse(recorded) as { event_log: string };
    const log = JSON.parse(event_log) as { imr: number; event_type: number; digest: string }[];
    const digests = log.filter(({ imr }) => imr === 1).map(({ digest }) => digest);
    const { 1: kernels, 2: lines } = await predictDirectRtmrs(machine);
    expect(digests).toHaveLength(kernels[0]?.events.length ?? 0);
    expect(digests.slice(1)).toEqual(kernels[0]?.events.slice(1));
    // Its kernel, archive and command line were not recorded: events with the tags of Linux, in the order of the names.
    expect(log.filter(({ imr }) => imr === 2).map(({ event_type }) => event_type)).toEqual([6, 6]);
    expect(lines[0]?.names).toEqual(['command line', 'archive']);
  });
});
