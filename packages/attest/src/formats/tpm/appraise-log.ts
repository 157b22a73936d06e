import type { HashName } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { extendedDigests, replayToPcrs, type EventLog } from '../../event-log/index.ts';
import type { QuotePolicy } from '../../policy/tpm.ts';
import { digestBytes, LAST_FIRMWARE_PCR } from './layout.ts';

/** A log that replays to quoted registers. */
export interface ReplayedLog {
  readonly log: EventLog;
  /** Registers that it explains: their events are as genuine as the registers. Events of others are not vouched for. */
  readonly registers: readonly number[];
  /** Digests that were extended, by register. */
  readonly digests: ReadonlyMap<number, readonly string[]>;
}

/**
 * Replays the log to the registers that the policy names; without a list to every register that it extends, all of which
 * must be quoted, and to those from 0 to 7, so that leaving out the events of a register does not hide them.
 * Throws EVENT_LOG_....
 */
export async function appraiseLog(
  log: EventLog | undefined,
  bank: HashName,
  values: ReadonlyMap<number, string>,
  policy: QuotePolicy,
  checks: Checklist,
): Promise<ReplayedLog | undefined> {
  const needed = policy.events !== undefined || policy.requiredEvents !== undefined;
  if (policy.eventLog === 'required' || needed) {
    checks.require('EVENT_LOG_MISSING', log !== undefined, {
      expected: 'an event log',
      actual: log === undefined ? 'none' : 'one',
    });
  } else {
    checks.notApplicable('EVENT_LOG_MISSING', 'the policy does not need a log');
  }
  if (log === undefined) {
    checks.notApplicable('EVENT_LOG_MISMATCH', 'no log was sent');
    return undefined;
  }
  const replayed = await replayToPcrs(log, bank);
  const zero = '00'.repeat(digestBytes[bank]);
  const registers = registersOf(replayed, values, policy);
  for (const index of registers) {
    const expected = replayed.get(index) ?? zero;
    const actual = values.get(index) ?? 'not quoted';
    checks.require('EVENT_LOG_MISMATCH', actual === expected, { expected: `PCR${index} ${expected}`, actual });
  }
  return { log, registers: Object.freeze(registers), digests: extendedDigests(log, bank) };
}

function registersOf(
  replayed: ReadonlyMap<number, string>,
  values: ReadonlyMap<number, string>,
  { eventLogPcrs, events = {}, requiredEvents = {} }: QuotePolicy,
): number[] {
  const named = [events, requiredEvents].flatMap((registers) => Object.keys(registers).map(Number));
  const firmware = [...values.keys()].filter((index) => index <= LAST_FIRMWARE_PCR);
  // What events are required of must be replayed, whatever else is.
  const all = [...(eventLogPcrs ?? [...replayed.keys(), ...firmware]), ...named];
  return [...new Set(all)].toSorted((a, b) => a - b);
}
