import { concatBytes, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { parseEventLog, replayToRtmrs, trimEventLog } from '../src/event-log/index.ts';
import { encodeTdxEvidence, parse } from '../src/formats/tdx/index.ts';
import { checksOf, TDX_EVIDENCE_TYPE, TDX_QUOTE_TYPE } from '../src/index.ts';
import { judgeDcap, type DcapScenario } from './support/dcap-forge.ts';
import { codeOf } from './support/errors.ts';
import { bootedTd, bootWith, goodBoot, logOf, pinnedBoot } from './support/tdx-boot.ts';
import { tdxLogFailures } from './support/tdx-log-failures.ts';
import { readVector, vectorsPresent } from './support/vectors.ts';

const pinned = await pinnedBoot(goodBoot);
const refusalOf = async (scenario: DcapScenario): Promise<FastnessError> => {
  const error: unknown = await judgeDcap(scenario).catch((cause: unknown) => cause);
  if (!(error instanceof FastnessError)) throw new Error('It was accepted.');
  return error;
};

describe('the event log of a trust domain', () => {
  it('is accepted where it replays and has the events that the policy lists, and says which', async () => {
    const { claims, checks } = await judgeDcap({ ...(await bootedTd(goodBoot)), section: pinned });
    expect(claims).toMatchObject({
      eventLog: {
        events: 7,
        replayedRtmrs: [0, 1, 2, 3],
        named: {
          1: ['kernel', 'exit boot services'],
          2: ['command line', 'archive'],
          3: ['configuration', 'release'],
        },
      },
    });
    const passed = checks.filter(({ outcome }) => outcome === 'passed').map(({ code }) => code);
    expect(passed.filter((code) => code === 'EVENT_LOG_MISMATCH')).toHaveLength(4);
    expect(passed.filter((code) => code === 'EVENT_LOG_EVENTS_NOT_ALLOWED')).toHaveLength(3);
  });

  it('is not needed where the policy asks for none, and is replayed all the same where it comes', async () => {
    const good = await bootedTd(goodBoot);
    expect((await judgeDcap({ td: good.td })).claims).not.toHaveProperty('eventLog');
    expect((await judgeDcap(good)).claims).toMatchObject({ eventLog: { replayedRtmrs: [0, 1, 2, 3], named: {} } });
    const optional = { td: good.td, section: { rtmrs: pinned.rtmrs, eventLog: 'if-sent' } };
    expect((await judgeDcap(optional)).claims).not.toHaveProperty('eventLog');
  });

  it('may leave out a register that the policy says is extended later, and no other', async () => {
    const { td } = await bootedTd(goodBoot);
    const eventLog = await logOf(goodBoot.filter(([register]) => register !== 3));
    const section = { eventLogRtmrs: [0, 1, 2], requiredEvents: { 2: pinned.events[2] } };
    const { claims } = await judgeDcap({ td, eventLog, section });
    expect(claims).toMatchObject({ eventLog: { events: 5, replayedRtmrs: [0, 1, 2] } });
    expect((await refusalOf({ td, eventLog })).detail).toContain('RTMR3');
  });

  it.each([
    ['kernel', 'event 1 of RTMR1, kernel: '],
    ['command line', 'event 1 of RTMR2, command line: '],
    ['archive', 'event 2 of RTMR2, archive: '],
    ['configuration', 'event 1 of RTMR3, configuration: '],
    ['release', 'event 2 of RTMR3, release: '],
  ])('names the %s where it is another, and nothing else', async (name, expected) => {
    const { code, detail } = await refusalOf({ ...(await bootedTd(bootWith(name, 'another'))), section: pinned });
    expect(code).toBe('TDX_RTMR_NOT_ALLOWED');
    expect(detail).toContain(expected);
    for (const [, other] of goodBoot.filter((event) => event[1] !== name)) expect(detail).not.toContain(` ${other}: `);
  });

  it('names every register that differs in one refusal', async () => {
    const changed = goodBoot.map((event) => bootWith(event[1], 'another')[goodBoot.indexOf(event)] ?? event);
    const error = await refusalOf({ ...(await bootedTd(changed)), section: pinned });
    for (const place of ['RTMR1, kernel', 'RTMR2, command line', 'RTMR3, configuration'])
      expect(error.detail).toContain(`event 1 of ${place}: `);
    expect(checksOf(error)?.failed?.code).toBe('TDX_RTMR_NOT_ALLOWED');
  });

  it('that is longer or shorter than listed is named by its first event too many or too few', async () => {
    const section = { events: { 3: pinned.events[3] } };
    const more = await refusalOf({ ...(await bootedTd([...goodBoot, ...goodBoot.slice(-1)])), section });
    expect(more.detail).toContain('event 3 of RTMR3, one more than listed: expected no more events');
    const fewer = await refusalOf({ ...(await bootedTd(goodBoot.slice(0, -1))), section });
    expect(fewer.detail).toContain('event 2 of RTMR3, release: ');
    expect(fewer.detail).toContain('found no more events');
  });

  it('whose data is another says nothing else: digests are what counts', async () => {
    const good = await bootedTd(goodBoot);
    const eventLog = good.eventLog.slice();
    const last = trimEventLog(eventLog).length - 1;
    eventLog[last] = (eventLog[last] ?? 0) ^ 1;
    const { claims } = await judgeDcap({ ...good, eventLog, section: pinned });
    expect(claims).toMatchObject({ eventLog: { events: 7 } });
  });

  it.each(tdxLogFailures)('is refused with one thing wrong: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeDcap(scenario))).toBe(code);
  });

  it.each([
    ['a fifth register', { eventLogRtmrs: [4] }],
    ['no register', { eventLogRtmrs: [] }],
    ['an event of a fifth register', { events: { 4: [] } }],
    ['an event without a name', { events: { 1: [{ name: '', digests: ['00'.repeat(48)] }] } }],
    ['an event without a digest', { events: { 1: [{ name: 'kernel', digests: [] }] } }],
    ['a digest of SHA-256', { requiredEvents: { 1: [{ name: 'kernel', digests: ['00'.repeat(32)] }] } }],
    ['another word', { eventLog: 'any' }],
  ])('cannot be asked for with %s', async (_, section) => {
    expect(await codeOf(judgeDcap({ section }))).toBe('ATTEST_POLICY_INVALID');
  });
});

describe.skipIf(!vectorsPresent)('the recorded log of COS 113', () => {
  const folder = 'tdx/google__go-tdx-guest/testing/testdata/ccel';
  it('travels with its quote, with or without what fills up its area', async () => {
    const [quote, area] = [readVector(`${folder}/cos-113-tdx-quote.dat`), readVector(`${folder}/ccel_data.dat`)];
    const trimmed = trimEventLog(area);
    expect(trimmed.length).toBeLessThan(64 << 10);
    expect(toHex(concatBytes(trimmed, area.slice(trimmed.length)))).toBe(toHex(area));
    expect(encodeTdxEvidence({ quote }).type).toBe(TDX_QUOTE_TYPE);
    for (const eventLog of [trimmed, area]) {
      const evidence = encodeTdxEvidence({ quote, eventLog });
      expect(evidence.type).toBe(TDX_EVIDENCE_TYPE);
      const { body, eventLog: log } = parse(evidence);
      expect(log).toEqual(parseEventLog(trimmed));
      expect(log === undefined ? [] : await replayToRtmrs(log)).toEqual(body.rtmrs);
    }
  });
});
