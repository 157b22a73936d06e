import type { ErrorFacts } from './class.ts';

const reread = 'Read the log again from the firmware; if it persists, the log was changed or cut short.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of reading and replaying boot event logs of TPMs and TDs, in the order in which the checks run. */
export const eventLogErrors = Object.freeze({
  EVENT_LOG_TOO_LARGE: invalid('The event log is larger than this reader accepts.', reread),
  EVENT_LOG_MALFORMED: invalid('The event log does not follow the TCG format.', reread),
  EVENT_LOG_REGISTER: invalid(
    'An event extends a register that does not exist or that is not replayed.',
    'Send the log of the boot; registers of dynamic launches (17 to 22) cannot be replayed from it.',
  ),
  EVENT_LOG_BANK: invalid(
    'The event log does not hold the bank of registers that is asked for.',
    'Ask for a bank that the log holds.',
  ),
  EVENT_LOG_MISMATCH: invalid(
    'The event log does not replay to the registers of the evidence, so it says nothing.',
    'Send the log of the boot that the evidence is of, complete up to the moment of the quote.',
  ),
  EVENT_LOG_MISSING: denied(
    'The policy needs an event log, and the evidence has none.',
    'Send the event log of the boot with the evidence.',
  ),
  EVENT_LOG_EVENTS_NOT_ALLOWED: denied(
    'The events of a register are not those that the policy lists.',
    'Compare the event that the detail names with what was booted; boot what is listed, or list its digest.',
  ),
  EVENT_LOG_EVENT_MISSING: denied(
    'An event that the policy requires is not in the log.',
    'Boot what is listed, or take its digest out of the policy.',
  ),
} as const satisfies Record<string, ErrorFacts>);
