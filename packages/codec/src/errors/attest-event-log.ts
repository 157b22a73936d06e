import type { ErrorFacts } from './class.ts';

/** Codes of reading and replaying boot event logs. */
export const eventLogErrors = Object.freeze({
  EVENT_LOG_MALFORMED: {
    class: 'invalid',
    message: 'The event log does not follow the TCG format.',
    next: 'Read the log again from the firmware table (CCEL); if it persists, it was damaged on the way.',
  },
  EVENT_LOG_MISMATCH: {
    class: 'invalid',
    message: 'The event log does not replay to the registers of the evidence, so it says nothing.',
    next: 'Send the log of the boot that the evidence is of, complete up to the moment of the quote.',
  },
} as const satisfies Record<string, ErrorFacts>);
