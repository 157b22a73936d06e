import { fromHex, utf8Encode } from '@fastness/codec';
import { forgeEventLog } from '@fastness/testkit';
import { parseEventLog, replayToRtmrs, rtmrEvents, type RtmrIndex } from '../../src/event-log/index.ts';
import type { DcapScenario } from './dcap-forge.ts';

/** What one boot of a trust domain measured: by register, the events and what each is of. */
export type Boot = readonly (readonly [register: RtmrIndex, name: string, data: Uint8Array])[];

const at = (register: RtmrIndex, name: string, text = name): Boot[number] => [register, name, utf8Encode(text)];

/** Firmware, kernel, command line and archive, and what the enclave extended since. */
export const goodBoot: Boot = [
  at(0, 'boot variable'),
  at(1, 'kernel'),
  at(1, 'exit boot services'),
  at(2, 'command line'),
  at(2, 'archive'),
  at(3, 'configuration'),
  at(3, 'release'),
];

/** The same boot but for one event. */
export const bootWith = (name: string, data: string): Boot =>
  goodBoot.map((event) => (event[1] === name ? at(event[0], name, data) : event));

/** A log of this boot as firmware keeps it: CCEL counts MRTD as register 0. */
export async function logOf(boot: Boot): Promise<Uint8Array> {
  const events = boot.map(([register, , data]) => ({ pcr: register + 1, type: 0x8000_0003, data }));
  return forgeEventLog(events, { padding: new Uint8Array(100).fill(0xff) });
}

/** Evidence of a boot: registers that it leads to, and its log. */
export async function bootedTd(boot: Boot): Promise<Required<Pick<DcapScenario, 'td' | 'eventLog'>>> {
  const eventLog = await logOf(boot);
  const rtmrs = await replayToRtmrs(parseEventLog(eventLog, { padding: 'accepted' }));
  return { td: { rtmrs: rtmrs.map(fromHex) }, eventLog };
}

/** Members of a policy's section that pin registers and events of a boot. */
export async function pinnedBoot(boot: Boot, registers: readonly RtmrIndex[] = [1, 2, 3]) {
  const log = parseEventLog(await logOf(boot), { padding: 'accepted' });
  const rtmrs = await replayToRtmrs(log);
  const by = <T>(value: (index: RtmrIndex) => T): Partial<Record<RtmrIndex, T>> =>
    Object.fromEntries(registers.map((index) => [index, value(index)]));
  return {
    rtmrs: by((index) => [rtmrs[index]]),
    events: by((index) => {
      const names = boot.filter(([register]) => register === index).map(([, name]) => name);
      return rtmrEvents(log, index).map(({ digests }, place) => ({
        name: names[place] ?? '',
        digests: [digests['SHA-384'] ?? ''],
      }));
    }),
  };
}
