import { EV_NO_ACTION, eventTypeName, type LogHash } from './layout.ts';
import type { EventLog } from './parse.ts';

/**
 * Where the events of a register first differ from an expected sequence of digests, in words; undefined when they do not.
 * Events are counted from 1, within their register.
 */
export function firstDifference(
  log: EventLog,
  register: number,
  hash: LogHash,
  expected: readonly string[],
): string | undefined {
  const events = log.events.filter((event) => event.register === register && event.type !== EV_NO_ACTION);
  const length = Math.max(events.length, expected.length);
  for (let index = 0; index < length; index += 1) {
    const event = events[index];
    const wanted = expected[index];
    const actual = event?.digests[hash];
    if (actual !== wanted || actual === undefined) {
      const type = event === undefined ? '' : ` (${eventTypeName(event.type)})`;
      return `event ${index + 1}${type} of PCR${register}: expected ${wanted ?? 'no more events'}; found ${actual ?? 'no more events'}`;
    }
  }
  return undefined;
}
