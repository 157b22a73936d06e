import { concatBytes } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import { forgeEventLog, startupLocality, type ForgedEvent } from '@fastness/testkit';
import { parseEventLog, replayToPcrs, verifyEventLog } from '../../src/event-log/index.ts';

/** A log in which exactly one thing is wrong, and the code that must say so. */
export type EventLogFailure = readonly [code: ErrorCode, what: string, attempt: () => Promise<unknown>];

const event: ForgedEvent = { pcr: 4, type: 4, data: new Uint8Array(4) };
const good = await forgeEventLog([event]);
/** Where the only event of `good` begins: three digests and four bytes of data before its end. */
const start = good.length - (12 + 22 + 34 + 50 + 4 + 4);
const put = (position: number, value: number) => good.map((byte, index) => (index === position ? value : byte));
const header = (edit: (data: Uint8Array) => Uint8Array) => forgeEventLog([], { header: edit });
const at = (position: number, value: number) => (data: Uint8Array) =>
  data.map((byte, index) => (index === position ? value : byte));
const read = (log: Uint8Array | Promise<Uint8Array>) => async () => replayToPcrs(parseEventLog(await log), 'SHA-256');

export const eventLogFailures: readonly EventLogFailure[] = [
  ['EVENT_LOG_TOO_LARGE', 'more bytes than any boot makes', read(new Uint8Array((4 << 20) + 1))],
  ['EVENT_LOG_TOO_LARGE', 'more events', read(forgeEventLog(Array.from({ length: 32_769 }, () => event)))],
  ['EVENT_LOG_MALFORMED', 'nothing', read(new Uint8Array())],
  ['EVENT_LOG_MALFORMED', 'cut short', read(good.subarray(0, -1))],
  ['EVENT_LOG_MALFORMED', 'a byte more', read(concatBytes(good, new Uint8Array(1)))],
  ['EVENT_LOG_MALFORMED', 'an event with fewer digests than the header lists', read(put(start + 8, 2))],
  ['EVENT_LOG_MALFORMED', 'a digest twice', read(put(start + 12, 0x0b))],
  ['EVENT_LOG_MALFORMED', 'a digest that the header does not list', read(put(start + 12, 0x12))],
  ['EVENT_LOG_MALFORMED', 'nine banks', read(header(at(24, 9)))],
  ['EVENT_LOG_MALFORMED', 'no bank', read(header(at(24, 0)))],
  ['EVENT_LOG_MALFORMED', 'SHA-1 of 21 bytes', read(header(at(30, 21)))],
  ['EVENT_LOG_MALFORMED', 'a bank twice', read(header(at(32, 4)))],
  ['EVENT_LOG_MALFORMED', 'digests without a size', read(header((data) => at(30, 0)(at(28, 0x12)(data))))],
  ['EVENT_LOG_MALFORMED', 'bytes after the header', read(header((data) => concatBytes(data, new Uint8Array(1))))],
  [
    'EVENT_LOG_MALFORMED',
    'a startup locality after PCR0 was extended',
    read(forgeEventLog([{ ...event, pcr: 0 }, startupLocality(3)])),
  ],
  ['EVENT_LOG_MALFORMED', 'two startup localities', read(forgeEventLog([startupLocality(3), startupLocality(0)]))],
  ['EVENT_LOG_REGISTER', 'PCR24', read(forgeEventLog([{ ...event, pcr: 24 }]))],
  ['EVENT_LOG_REGISTER', 'a register of a dynamic launch', read(forgeEventLog([{ ...event, pcr: 17 }]))],
  ['EVENT_LOG_BANK', 'no SHA-512', async () => replayToPcrs(parseEventLog(good), 'SHA-512')],
  [
    'EVENT_LOG_BANK',
    'no SHA-384 for a TD',
    async () =>
      verifyEventLog({ log: await forgeEventLog([event], { legacy: true }), rtmrs: ['00'.repeat(48)], registers: [0] }),
  ],
  [
    'EVENT_LOG_MISMATCH',
    'another RTMR',
    async () => verifyEventLog({ log: good, rtmrs: ['11'.repeat(48)], registers: [0] }),
  ],
];
