import { createHash } from 'node:crypto';
import { concatBytes, fromHex, u16le, u32le, utf8Encode } from '@fastness/codec';
import { forgeEventLog, type ForgedEvent } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { encodeRuntimeEvent, eventWords, parseEventLog, replayToRtmrs } from '../src/event-log/index.ts';
import {
  parsePe,
  predictDirectRtmrs,
  predictRuntimeRtmr,
  rtmrPolicyOf,
  rtmrPolicyOfLog,
} from '../src/reference-values/index.ts';
import { judgeDcap } from './support/dcap-forge.ts';
import { codeOf } from './support/errors.ts';
import { pe } from './support/pe-images.ts';
import { readVector, vectorsPresent } from './support/vectors.ts';

/** A kernel that knows the protocol of confidential measurements. */
const kernelWith = (code: string): Uint8Array =>
  pe([{ name: '.text', bytes: concatBytes(fromHex('3d1a7596f472a641a794ed5d0e67ae6b'), utf8Encode(code)) }]);
const utf16 = (text: string): Uint8Array =>
  concatBytes(...Array.from(`${text}\0`, (letter) => u16le(letter.charCodeAt(0))));
const sha256 = (text: string): Uint8Array => new Uint8Array(createHash('sha256').update(text).digest());
const tagged = (id: number, data: Uint8Array): Uint8Array => concatBytes(u32le(id), u32le(data.length), data);

/** What is started in a trust domain, and what the enclave in it is told. */
const released = {
  kernel: kernelWith('released'),
  commandLine: 'quiet',
  archive: new Uint8Array(500).fill(7),
  configuration: sha256('{"listen":7802}'),
  release: sha256('release'),
};
/** The policy is computed from the files alone. */
const policy = rtmrPolicyOf({
  ...(await predictDirectRtmrs({
    image: released.kernel,
    archive: released.archive,
    commandLine: released.commandLine,
  })),
  3: [await predictRuntimeRtmr(released)],
});

/** Evidence of a trust domain that firmware, kernel and enclave extended as they do on hardware. */
async function bootOf(changed: Partial<typeof released>, line = (text: string) => `${text} initrd=initrd`) {
  const { kernel, commandLine, archive, configuration, release } = { ...released, ...changed };
  const of = (pcr: number, type: number, data: Uint8Array): ForgedEvent => ({ pcr, type, data });
  const eventLog = await forgeEventLog([
    of(1, 0x8000_0001, utf8Encode('what the host chose')),
    of(2, 0x8000_0003, concatBytes(...parsePe(kernel).hashed)),
    of(2, 0x8000_0007, utf8Encode('Calling EFI Application from Boot Option')),
    of(2, 4, new Uint8Array(4)),
    of(2, 0x8000_0007, utf8Encode('Exit Boot Services Invocation')),
    of(2, 0x8000_0007, utf8Encode('Exit Boot Services Returned with Success')),
    of(3, 6, utf16(line(commandLine))),
    of(3, 6, archive),
    of(4, 6, encodeRuntimeEvent({ kind: 'configuration', digest: configuration })),
    of(4, 6, encodeRuntimeEvent({ kind: 'release', digest: release })),
  ]);
  const rtmrs = await replayToRtmrs(parseEventLog(eventLog));
  return { eventLog, td: { rtmrs: rtmrs.map(fromHex) } };
}

describe('a policy that is computed from kernel, archive, command line, configuration and release', () => {
  it.each<[string, (text: string) => string]>([
    ['today', (text) => `initrd=initrd ${text}`],
    ['earlier', (text) => `${text} initrd=initrd`],
  ])('accepts their boot as firmware does it %s', async (_, line) => {
    const { claims } = await judgeDcap({ ...(await bootOf({}, line)), section: policy });
    expect(claims).toMatchObject({
      eventLog: { named: { 2: ['command line', 'archive'], 3: ['configuration', 'release'] } },
    });
  });

  it.each<[string, Partial<typeof released>, string]>([
    ['kernel', { kernel: kernelWith('re1eased') }, 'event 1 of RTMR1, kernel: '],
    ['command line', { commandLine: 'quie7' }, 'event 1 of RTMR2, command line: '],
    ['archive', { archive: new Uint8Array(500).fill(8) }, 'event 2 of RTMR2, archive: '],
    ['configuration', { configuration: sha256('{"listen":7803}') }, 'event 1 of RTMR3, configuration: '],
    ['release', { release: sha256('re1ease') }, 'event 2 of RTMR3, release: '],
  ])('refuses another %s by its name', async (_, changed, named) => {
    const boot = await bootOf(changed);
    const refusal: unknown = await judgeDcap({ ...boot, section: policy }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'TDX_RTMR_NOT_ALLOWED', detail: expect.stringContaining(named) as unknown });
    // The host can withhold the log or send that of the good boot: then nothing is named, and nothing is accepted.
    expect(await codeOf(judgeDcap({ td: boot.td, section: policy }))).toBe('EVENT_LOG_MISSING');
    const { eventLog } = await bootOf({});
    expect(await codeOf(judgeDcap({ td: boot.td, eventLog, section: policy }))).toBe('EVENT_LOG_MISMATCH');
    expect(await codeOf(judgeDcap({ td: boot.td, section: { rtmrs: policy.rtmrs } }))).toBe('TDX_RTMR_NOT_ALLOWED');
  });

  it('needs digests of configuration and release', async () => {
    const configuration = new Uint8Array(31);
    expect(await codeOf(predictRuntimeRtmr({ ...released, configuration }))).toBe('ATTEST_ARGUMENT_INVALID');
  });
});

describe('a policy that is taken from the log of a boot', () => {
  it('accepts that boot, and names what another does differently', async () => {
    const good = await bootOf({});
    const section = await rtmrPolicyOfLog(parseEventLog(good.eventLog), [0, 1, 2]);
    expect(section.events[3]).toBeUndefined();
    expect((await judgeDcap({ ...good, section })).claims).toMatchObject({ eventLog: { replayedRtmrs: [0, 1, 2, 3] } });
    const refusal: unknown = await judgeDcap({ ...(await bootOf({ commandLine: 'other' })), section }).catch(
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({ detail: expect.stringContaining('event 1 of RTMR2, EV_EVENT_TAG') as unknown });
  });
});

describe('what an event is of', () => {
  const variable = (name: string, value: Uint8Array): Uint8Array =>
    concatBytes(
      new Uint8Array(16),
      ...[name.length, 0, value.length, 0].map((word) => u32le(word)),
      utf16(name).slice(0, -2),
      value,
    );
  const path = utf16('\\EFI\\BOOT\\BOOTX64.EFI');
  const node = concatBytes(Uint8Array.of(4, 4), u16le(path.length + 4), path);
  const image = (nodes: Uint8Array): Uint8Array =>
    concatBytes(new Uint8Array(24), u32le(nodes.length), u32le(0), nodes);
  const digest = new Uint8Array(32).fill(0xab);

  it.each<[number, Uint8Array, string]>([
    [4, new Uint8Array(4), 'EV_SEPARATOR separator'],
    [0x8000_0007, utf8Encode('Exit Boot\x1b[2J Services'), 'EV_EFI_ACTION Exit Boot [2J Services'],
    [0x8000_0001, variable('SecureBoot', Uint8Array.of(1)), 'EV_EFI_VARIABLE_DRIVER_CONFIG SecureBoot = 01'],
    [0x8000_0002, variable('Boot0000', new Uint8Array(70)), 'EV_EFI_VARIABLE_BOOT Boot0000 = 70 bytes'],
    [0x8000_0003, image(node), 'EV_EFI_BOOT_SERVICES_APPLICATION \\EFI\\BOOT\\BOOTX64.EFI'],
    [0x8000_0003, image(new Uint8Array(0)), 'EV_EFI_BOOT_SERVICES_APPLICATION from memory or firmware'],
    [0x8000_000a, concatBytes(Uint8Array.of(3), utf8Encode('FV1')), 'EV_EFI_PLATFORM_FIRMWARE_BLOB2 FV1'],
    [6, tagged(0x8f3b_22ec, utf8Encode('Linux initrd\0')), 'EV_EVENT_TAG archive'],
    [6, tagged(0x8f3b_22ed, utf8Encode('LOADED_IMAGE::LoadOptions\0')), 'EV_EVENT_TAG command line'],
    [6, tagged(1, utf8Encode('other')), 'EV_EVENT_TAG other'],
    [6, encodeRuntimeEvent({ kind: 'release', digest }), 'EV_EVENT_TAG release abababababababab'],
    [0x77, utf8Encode('anything'), 'event type 0x77'],
    // Cut short or lying about its lengths: its type is all that is said.
    [6, new Uint8Array(3), 'EV_EVENT_TAG'],
    [0x8000_0001, concatBytes(new Uint8Array(16), new Uint8Array(16).fill(0xff)), 'EV_EFI_VARIABLE_DRIVER_CONFIG'],
    [0x8000_0003, image(Uint8Array.of(1, 1, 0, 0)), 'EV_EFI_BOOT_SERVICES_APPLICATION'],
  ])('is said of type %i', (type, data, said) => {
    expect(eventWords({ type, data })).toBe(said);
  });

  it.skipIf(!vectorsPresent)('is said of every event of a recorded log', () => {
    const area = readVector('tdx/google__go-tdx-guest/testing/testdata/ccel/ccel_data.dat');
    const said = parseEventLog(area, { padding: 'accepted' }).events.map((event) => eventWords(event));
    expect(said).toEqual(
      expect.arrayContaining([
        'EV_EFI_VARIABLE_DRIVER_CONFIG SecureBoot = 00',
        'EV_EFI_BOOT_SERVICES_APPLICATION \\EFI\\BOOT\\BOOTX64.EFI',
      ]),
    );
    expect(said.filter((words) => words.length > 80 || /[^ -~]/.test(words))).toEqual([]);
  });
});
