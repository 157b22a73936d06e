import { FastnessError } from '@fastness/codec/errors';
import { EV_NO_ACTION } from './layout.ts';
import { parseEventLog, type EventLog, type LogEvent } from './parse.ts';
import { extendedDigests, replayDigests } from './replay.ts';

/** Index of a run-time register of a TD. */
export type RtmrIndex = 0 | 1 | 2 | 3;

/** CCEL counts MRTD as register 0, so RTMR0 is its register 1 (Intel TDX virtual firmware design guide, section 8.1). */
const CC_OFFSET = 1;

/** A log, and the run-time registers that it replays to. Says nothing until a quote has the same registers. */
export interface ReplayedRtmrLog {
  readonly log: EventLog;
  readonly rtmrs: readonly [string, string, string, string];
}

/** The events of a log that extend a run-time register, in their order. */
export function rtmrEvents(log: EventLog, index: RtmrIndex): readonly LogEvent[] {
  return log.events.filter(({ register, type }) => type !== EV_NO_ACTION && register === index + CC_OFFSET);
}

/** Replays a CCEL to the run-time registers of a TD, RTMR0 first. Throws EVENT_LOG_BANK, EVENT_LOG_MALFORMED. */
export async function replayToRtmrs(log: EventLog): Promise<readonly [string, string, string, string]> {
  const registers = extendedDigests(log, 'SHA-384');
  const replay = async (index: RtmrIndex) => replayDigests(registers.get(index + CC_OFFSET) ?? []);
  return Object.freeze(await Promise.all([replay(0), replay(1), replay(2), replay(3)]));
}

/**
 * Reads a CCEL and replays it to the run-time registers of a TD. Only events of `registers` are returned, in their order;
 * the values must come from claims, so that a quote vouches for them. A register that software extended after the boot does
 * not match its boot log: leave it out of `registers`, and nothing is said about it.
 *
 * Not checked: whether the data of an event is what its digest was made of. For many types (firmware volumes, loaded images)
 * it is only a description. Whoever relies on data must hash it.
 *
 * Throws EVENT_LOG_..., ATTEST_ARGUMENT_INVALID.
 */
export async function verifyEventLog(options: {
  /** The area that the CCEL table points to; bytes that fill it up may follow. */
  readonly log: Uint8Array;
  /** Of the claims. */
  readonly rtmrs: readonly string[];
  /** Registers that must match. */
  readonly registers: readonly RtmrIndex[];
}): Promise<readonly LogEvent[]> {
  const { rtmrs } = options;
  const registers = [...new Set(options.registers)].toSorted((a, b) => a - b);
  if (registers.length === 0) throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'registers must name one at least.');
  const log = parseEventLog(options.log, { padding: 'accepted' });
  const replayed = await replayToRtmrs(log);
  for (const register of registers) {
    const expected = rtmrs[register];
    if (expected === undefined || replayed[register] !== expected) {
      throw new FastnessError(
        'EVENT_LOG_MISMATCH',
        `RTMR${register}: expected ${expected ?? 'a value'}; the log replays to ${replayed[register]}.`,
      );
    }
  }
  return Object.freeze(
    log.events.filter(
      ({ register, type }) => type !== EV_NO_ACTION && registers.some((index) => index + CC_OFFSET === register),
    ),
  );
}
