import { FastnessError } from '@fastness/codec/errors';
import { extendedDigests, type EventLog } from '../event-log/index.ts';
import type { PredictedRtmr, PredictedRtmrs } from './rtmr.ts';

/** CCEL counts MRTD as register 0, so RTMR0 is its register 1 (Intel TDX virtual firmware design guide, section 8.1). */
const CC_OFFSET = 1;

/**
 * Which of the predicted values the log of a boot (CCEL) leads to; throws IMAGE_EVENT_DIFFERS, which names the first event
 * that is another, where it leads to none.
 *
 * For finding out why a register differs: the log is the host's word until it replays to the registers of a quote
 * (`verifyEventLog`). Throws EVENT_LOG_BANK, too.
 */
export function compareRtmrLog(
  log: EventLog,
  predicted: PredictedRtmrs,
): { readonly 1: PredictedRtmr; readonly 2: PredictedRtmr } {
  const registers = extendedDigests(log, 'SHA-384');
  const compare = (index: 1 | 2): PredictedRtmr =>
    fitting(index, registers.get(index + CC_OFFSET) ?? [], predicted[index]);
  return { 1: compare(1), 2: compare(2) };
}

function fitting(index: number, found: readonly string[], candidates: readonly PredictedRtmr[]): PredictedRtmr {
  const places = candidates.map(({ events }) => firstDifferent(events, found));
  const equal = candidates[places.indexOf(undefined)];
  if (equal !== undefined) return equal;
  // The candidate that agrees longest is the one that was meant.
  const place = Math.max(...places.map((each) => each ?? 0));
  const meant = candidates.filter((_, at) => places[at] === place);
  const name = meant[0]?.names[place] ?? 'one more than expected';
  const expected = [...new Set(meant.map(({ events }) => events[place] ?? 'no more events'))].join(' or ');
  throw new FastnessError(
    'IMAGE_EVENT_DIFFERS',
    `RTMR${index}, event ${place + 1} (${name}): expected ${expected}; found ${found[place] ?? 'no more events'}.`,
  );
}

function firstDifferent(expected: readonly string[], found: readonly string[]): number | undefined {
  const length = Math.max(expected.length, found.length);
  for (let at = 0; at < length; at += 1) if (expected[at] !== found[at]) return at;
  return undefined;
}
