import { concatBytes, fromHex, toHex, utf8Decode, utf8Encode } from '@fastness/codec';
import { errorRegistry, type ErrorCode } from '@fastness/codec/errors';
import { forgeEventLog, startupLocality, type ForgedEvent } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import {
  eventTypeName,
  extendedDigests,
  firstDifference,
  parseEventLog,
  replayDigests,
  replayToPcrs,
  verifyEventLog,
  verifyPcrEventLog,
} from '../src/event-log/index.ts';
import { codeOf } from './support/errors.ts';
import { eventLogFailures } from './support/event-log-failures.ts';
import { scramble } from './support/scramble.ts';

const sha = async (hash: string, ...parts: Uint8Array[]) =>
  new Uint8Array(await crypto.subtle.digest(hash, concatBytes(...parts)));
const event = (register: number, text: string, type = 0x8000_0003): ForgedEvent => ({
  pcr: register,
  type,
  data: utf8Encode(text),
});
const filler = new Uint8Array(64).fill(0xff);
const ccel = await forgeEventLog([event(1, 'a'), event(2, 'b'), event(1, 'c'), event(1, 'x', 3)], { padding: filler });
const zeros = '00'.repeat(48);

async function registersOf(): Promise<string[]> {
  const [a, b, c] = await Promise.all(
    ['a', 'b', 'c'].map(async (text) => toHex(await sha('SHA-384', utf8Encode(text)))),
  );
  return [await replayDigests([a ?? '', c ?? '']), await replayDigests([b ?? '']), zeros, zeros];
}

describe('an event log of a TD', () => {
  it('replays to the registers', async () => {
    const rtmrs = await registersOf();
    const events = await verifyEventLog({ log: ccel, rtmrs, registers: [0, 1, 2, 3] });
    expect(events.map(({ register }) => register)).toEqual([1, 2, 1]);
    expect(rtmrs[0]).toHaveLength(96);
    const once = await sha('SHA-384', new Uint8Array(48), await sha('SHA-384', utf8Encode('b')));
    expect(rtmrs[1]).toBe(toHex(once));
  });

  it('returns only events of registers that were compared', async () => {
    const [first = '', second = ''] = await registersOf();
    const events = await verifyEventLog({ log: ccel, rtmrs: [first, zeros, zeros, zeros], registers: [0] });
    expect(events.map(({ register }) => register)).toEqual([1, 1]);
    const attempt = verifyEventLog({ log: ccel, rtmrs: [first, zeros], registers: [1] });
    expect(await codeOf(attempt)).toBe('EVENT_LOG_MISMATCH');
    expect(await codeOf(verifyEventLog({ log: ccel, rtmrs: [second], registers: [0] }))).toBe('EVENT_LOG_MISMATCH');
    expect(await codeOf(verifyEventLog({ log: ccel, rtmrs: [first], registers: [1] }))).toBe('EVENT_LOG_MISMATCH');
    expect(await codeOf(verifyEventLog({ log: ccel, rtmrs: [first], registers: [] }))).toBe('ATTEST_ARGUMENT_INVALID');
  });

  it('may fill up its area with 0xff or zeros and nothing else', async () => {
    const bare = await forgeEventLog([event(1, 'a')]);
    const { events } = parseEventLog(bare);
    expect(events).toHaveLength(1);
    for (const byte of [0, 0xff]) {
      for (const length of [1, 7, 8, 500]) {
        const padded = concatBytes(bare, new Uint8Array(length).fill(byte));
        expect(parseEventLog(padded, { padding: 'accepted' }).events).toHaveLength(1);
        expect(await codeOf(() => parseEventLog(padded))).toMatch(/^EVENT_LOG_(?:MALFORMED|REGISTER)$/);
      }
    }
    const mixed = concatBytes(bare, new Uint8Array(8), filler);
    expect(await codeOf(() => parseEventLog(mixed, { padding: 'accepted' }))).toBe('EVENT_LOG_MALFORMED');
  });
});

describe('an event log of a TPM', () => {
  it('replays to registers, from the locality that it states', async () => {
    const log = parseEventLog(await forgeEventLog([startupLocality(3), event(0, 'a'), event(4, 'a'), event(4, 'a')]));
    expect(log).toMatchObject({ format: 'crypto-agile', banks: ['SHA-1', 'SHA-256', 'SHA-384'] });
    const digest = await sha('SHA-256', utf8Encode('a'));
    const initial = new Uint8Array(32);
    initial[31] = 3;
    const once = await sha('SHA-256', new Uint8Array(32), digest);
    const replayed = await replayToPcrs(log, 'SHA-256');
    expect([...replayed]).toEqual([
      [0, toHex(await sha('SHA-256', initial, digest))],
      [4, toHex(await sha('SHA-256', once, digest))],
    ]);
    const onlyStarted = parseEventLog(await forgeEventLog([startupLocality(3)]));
    expect([...(await replayToPcrs(onlyStarted, 'SHA-256'))]).toEqual([[0, toHex(initial)]]);
  });

  it('gives events of registers that were compared alone', async () => {
    const log = await forgeEventLog([event(0, 'z'), event(4, 'a'), event(4, 'b'), event(4, 'c', 3)]);
    const pcrs = Object.fromEntries(await replayToPcrs(parseEventLog(log), 'SHA-256'));
    const events = await verifyPcrEventLog({ log, bank: 'SHA-256', pcrs, registers: [4] });
    expect(events.map(({ data }) => utf8Decode(data))).toEqual(['a', 'b']);
    for (const [code, registers, changed] of [
      ['ATTEST_ARGUMENT_INVALID', [], {}],
      ['EVENT_LOG_MISMATCH', [4], { 4: '00'.repeat(32) }],
      ['EVENT_LOG_MISMATCH', [5], {}],
      ['EVENT_LOG_MISMATCH', [5], { 5: '00'.repeat(32) }],
    ] as const) {
      const attempt = verifyPcrEventLog({ log, bank: 'SHA-256', pcrs: { ...pcrs, ...changed }, registers });
      expect(await codeOf(attempt)).toBe(code);
    }
  });

  it('may have the format of TPM 1.2', async () => {
    const log = parseEventLog(await forgeEventLog([event(4, 'a')], { legacy: true }));
    expect(log).toMatchObject({ format: 'sha-1', banks: ['SHA-1'] });
    const digest = await sha('SHA-1', utf8Encode('a'));
    expect((await replayToPcrs(log, 'SHA-1')).get(4)).toBe(toHex(await sha('SHA-1', new Uint8Array(20), digest)));
    expect(await codeOf(replayToPcrs(log, 'SHA-256'))).toBe('EVENT_LOG_BANK');
  });

  it('says which event is the first that differs', async () => {
    const log = parseEventLog(await forgeEventLog([event(4, 'a'), event(0, 'z'), event(4, 'b', 4)]));
    const digests = extendedDigests(log, 'SHA-256').get(4) ?? [];
    expect(firstDifference(log, 4, 'SHA-256', digests)).toBeUndefined();
    const [first = '', second = ''] = digests;
    expect(firstDifference(log, 4, 'SHA-256', [first, first])).toBe(
      `event 2 (EV_SEPARATOR) of PCR4: expected ${first}; found ${second}`,
    );
    expect(firstDifference(log, 4, 'SHA-256', [first])).toContain(
      'event 2 (EV_SEPARATOR) of PCR4: expected no more events',
    );
    expect(firstDifference(log, 4, 'SHA-256', [first, second, first])).toContain('found no more events');
    expect(firstDifference(log, 9, 'SHA-256', [])).toBeUndefined();
    expect(eventTypeName(0x77)).toBe('event type 0x77');
  });

  it('is refused or read when it was scrambled, and never crashes the reader', async () => {
    const log = await forgeEventLog([startupLocality(3), event(0, 'a'), event(4, 'b')]);
    const codes = new Set<string>();
    for (let seed = 0; seed < 1500; seed += 1) {
      for (const padding of ['refused', 'accepted'] as const) {
        const scrambled = scramble(log, seed);
        codes.add(await codeOf(async () => replayToPcrs(parseEventLog(scrambled, { padding }), 'SHA-256')));
      }
    }
    expect(
      [...codes].filter((code) => code !== 'accepted' && !code.startsWith('EVENT_LOG_') && !code.startsWith('CODEC_')),
    ).toEqual([]);
    expect(codes.size).toBeGreaterThan(2);
  });
});

describe('an event log with one thing wrong', () => {
  it.each(eventLogFailures)('is refused: %s, %s', async (code: ErrorCode, _, attempt) => {
    expect(await codeOf(attempt)).toBe(code);
  });

  it('exists for every check', () => {
    const tested = new Set<string>(eventLogFailures.map(([code]) => code));
    // Requirements of policies, tested with the quotes that they are about.
    for (const code of ['EVENT_LOG_MISSING', 'EVENT_LOG_EVENTS_NOT_ALLOWED', 'EVENT_LOG_EVENT_MISSING'])
      tested.add(code);
    const codes = Object.keys(errorRegistry).filter((code) => code.startsWith('EVENT_LOG_'));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });

  it('takes digests of the right length alone', async () => {
    expect(await codeOf(replayDigests(['00']))).toBe('EVENT_LOG_MALFORMED');
    expect(await replayDigests([])).toBe(zeros);
    expect(await replayDigests([], { hash: 'SHA-256', initial: fromHex(`${'00'.repeat(31)}03`) })).toBe(
      `${'00'.repeat(31)}03`,
    );
  });
});
