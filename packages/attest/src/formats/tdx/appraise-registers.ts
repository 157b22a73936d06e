import { anyOf, failed, withChecks, type Checklist } from '../../checks.ts';
import type { TdxClaims } from '../../claims/dcap.ts';
import { eventTypeName, rtmrEvents, type ReplayedRtmrLog, type RtmrIndex } from '../../event-log/index.ts';
import type { PinnedEvent, TdxPolicy } from '../../policy/tdx.ts';
import type { TdBody } from './body.ts';

const all: readonly RtmrIndex[] = Object.freeze([0, 1, 2, 3]);

/**
 * What was measured into the run-time registers: the log first, because what it says explains a register that differs. The log
 * is the host's to send, to change and to withhold; its events count where they replay to the registers of the quote.
 */
export function appraiseRegisters(
  rtmrs: TdBody['rtmrs'],
  log: ReplayedRtmrLog | undefined,
  policy: TdxPolicy,
  checks: Checklist,
): TdxClaims['eventLog'] {
  const replayed = appraiseLog(rtmrs, log, policy, checks);
  appraiseValues(rtmrs, log, policy, checks);
  appraiseEvents(log, policy, checks);
  if (log === undefined) return undefined;
  const events = all.reduce<number>((sum, index) => sum + rtmrEvents(log.log, index).length, 0);
  return Object.freeze({ events, replayedRtmrs: Object.freeze(replayed), named: namesOf(policy) });
}

/** Returns the registers that the log was replayed to: what events are required of must be, whatever else is. */
function appraiseLog(
  rtmrs: TdBody['rtmrs'],
  log: ReplayedRtmrLog | undefined,
  policy: TdxPolicy,
  checks: Checklist,
): RtmrIndex[] {
  const { eventLog, eventLogRtmrs, events, requiredEvents } = policy;
  if (eventLog === 'required' || events !== undefined || requiredEvents !== undefined) {
    checks.require('EVENT_LOG_MISSING', log !== undefined, {
      expected: 'an event log',
      actual: log === undefined ? 'none' : 'one',
    });
  } else checks.notApplicable('EVENT_LOG_MISSING', 'the policy does not need a log');
  if (log === undefined) {
    checks.notApplicable('EVENT_LOG_MISMATCH', 'no log was sent');
    return [];
  }
  const registers = all.filter(
    (index) =>
      (eventLogRtmrs ?? all).includes(index) || events?.[index] !== undefined || requiredEvents?.[index] !== undefined,
  );
  for (const index of registers) {
    checks.require('EVENT_LOG_MISMATCH', log.rtmrs[index] === rtmrs[index], {
      expected: `a log that replays to RTMR${index} ${rtmrs[index]}`,
      actual: log.rtmrs[index],
    });
  }
  return registers;
}

/** Compares every register that is pinned. All that differ are named in one error, each with its first event that differs. */
function appraiseValues(
  rtmrs: TdBody['rtmrs'],
  log: ReplayedRtmrLog | undefined,
  policy: TdxPolicy,
  checks: Checklist,
): void {
  const differing: { readonly expected: string; readonly actual: string }[] = [];
  for (const index of all) {
    const accepted = policy.rtmrs[index];
    const actual = rtmrs[index];
    if (accepted === undefined) {
      checks.notApplicable('TDX_RTMR_NOT_ALLOWED', `the policy does not list RTMR${index}`);
      continue;
    }
    const expected = `RTMR${index} ${anyOf(accepted)}`;
    if (accepted.includes(actual)) checks.require('TDX_RTMR_NOT_ALLOWED', true, { expected, actual });
    else differing.push({ expected, actual: `RTMR${index} ${actual}${explanation(index, policy, log)}` });
  }
  if (differing.length === 0) return;
  const compared = {
    expected: differing.map(({ expected }) => expected).join('; '),
    actual: differing.map(({ actual }) => actual).join('; '),
  };
  const code = 'TDX_RTMR_NOT_ALLOWED';
  throw withChecks(failed(code, compared), { before: checks.results().checks, failed: { code, ...compared } });
}

/** A register of which events are listed was replayed by now. */
function explanation(index: RtmrIndex, { events }: TdxPolicy, log: ReplayedRtmrLog | undefined): string {
  const listed = events?.[index];
  if (listed === undefined || log === undefined) return '';
  const difference = firstDifference(index, listed, log);
  return difference === undefined
    ? ' (its events are those listed: the policy contradicts itself)'
    : ` (${difference})`;
}

function appraiseEvents(log: ReplayedRtmrLog | undefined, policy: TdxPolicy, checks: Checklist): void {
  const { events, requiredEvents } = policy;
  if (events === undefined) checks.notApplicable('EVENT_LOG_EVENTS_NOT_ALLOWED', 'the policy lists no events');
  if (requiredEvents === undefined) checks.notApplicable('EVENT_LOG_EVENT_MISSING', 'the policy requires no events');
  // Where the policy lists any, a log is there.
  if (log === undefined) return;
  for (const index of all) {
    const listed = events?.[index];
    if (listed === undefined) continue;
    const difference = firstDifference(index, listed, log);
    checks.require('EVENT_LOG_EVENTS_NOT_ALLOWED', difference === undefined, {
      expected: `${listed.length} events of RTMR${index} as listed`,
      actual: difference ?? 'all of them',
    });
  }
  for (const index of all) {
    const required = requiredEvents?.[index];
    if (required === undefined) continue;
    const found = new Set(rtmrEvents(log.log, index).map(({ digests }) => digests['SHA-384']));
    const missing = required.filter(({ digests }) => !digests.some((digest) => found.has(digest)));
    checks.require('EVENT_LOG_EVENT_MISSING', missing.length === 0, {
      expected: `RTMR${index} extended with ${required.map(({ name }) => name).join(', ')}`,
      actual:
        missing.length === 0
          ? 'all of them'
          : missing.map(({ name, digests }) => `no ${name} (${anyOf(digests)})`).join(', '),
    });
  }
}

/** The first event of a register that is not the one listed at its place, in words; events are counted from 1. */
function firstDifference(
  index: RtmrIndex,
  listed: readonly PinnedEvent[],
  { log }: ReplayedRtmrLog,
): string | undefined {
  const found = rtmrEvents(log, index);
  for (let place = 0; place < Math.max(listed.length, found.length); place += 1) {
    const [wanted, event] = [listed[place], found[place]];
    const digest = event?.digests['SHA-384'];
    if (wanted !== undefined && digest !== undefined && wanted.digests.includes(digest)) continue;
    const name = wanted?.name ?? 'one more than listed';
    const type = event === undefined ? '' : ` (${eventTypeName(event.type)})`;
    const expected = wanted === undefined ? 'no more events' : anyOf(wanted.digests);
    return `event ${place + 1} of RTMR${index}, ${name}: expected ${expected}; found ${digest ?? 'no more events'}${type}`;
  }
  return undefined;
}

function namesOf({ events = {}, requiredEvents = {} }: TdxPolicy): Readonly<Record<string, readonly string[]>> {
  const named = all.flatMap((index) => {
    const names = (events[index] ?? requiredEvents[index] ?? []).map(({ name }) => name);
    return names.length === 0 ? [] : [[`${index}`, Object.freeze(names)] as const];
  });
  return Object.freeze(Object.fromEntries(named));
}
