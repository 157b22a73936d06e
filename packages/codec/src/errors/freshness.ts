import type { ErrorFacts } from './class.ts';

/** Codes of rollback protection: state that must not be older than its anchor. */
export const freshnessErrors = Object.freeze({
  FRESHNESS_CONFIG: {
    class: 'usage',
    message: 'The anchor of freshness is not described correctly.',
    next: 'Give none, tpm:hardware:PATH, tpm:device:PATH, tpm:swtpm:SOCKET, sqlite:PATH, a PostgreSQL URL or witnesses; see docs/rollback.md.',
  },
  FRESHNESS_STATE_OLDER: {
    class: 'denied',
    message: 'The state is older than its anchor: it was put back to an earlier copy.',
    next: 'Restore the newest copy of database and log, whose number is in the detail. If none is left, revoke what may have been lost, then adopt the state you have; see docs/rollback.md.',
  },
  FRESHNESS_STATE_FORKED: {
    class: 'denied',
    message: 'The state has the number of its anchor but another history: it is a copy that was left behind.',
    next: 'Restore the copy that was in use last. If none is left, revoke what may have been lost, then adopt the state you have; see docs/rollback.md.',
  },
  FRESHNESS_STATE_NEWER: {
    class: 'denied',
    message: 'The anchor is older than the state: the anchor was put back or replaced.',
    next: 'Find out who restored the memory of the TPM or the table of the anchor. Adopt the state only when you know; see docs/rollback.md.',
  },
  FRESHNESS_RECORD_MISSING: {
    class: 'denied',
    message: 'There is an anchor or state, but no record that ties the one to the other.',
    next: 'Restore the database that holds the record. When the anchor is used for the first time with existing state, adopt that state; see docs/rollback.md.',
  },
  FRESHNESS_RECORD_INVALID: {
    class: 'invalid',
    message: 'The record that ties the state to its anchor is malformed or not authentic.',
    next: 'Somebody wrote to it who does not hold the key. Restore the newest copy of the database.',
  },
  FRESHNESS_ANCHOR_MISSING: {
    class: 'denied',
    message: 'The anchor that the state was tied to is gone.',
    next: 'Find out who cleared the TPM or dropped the table. Adopt the state with a new anchor only when you know; see docs/rollback.md.',
  },
  FRESHNESS_ANCHOR_CHANGED: {
    class: 'denied',
    message: 'The anchor is not the one that the state was tied to.',
    next: 'Put the old TPM or database back. After a planned move to other hardware, adopt the state; see docs/rollback.md.',
  },
  FRESHNESS_ANCHOR_MOVED: {
    class: 'conflict',
    message: 'The anchor moved although nobody else should move it.',
    next: 'Stop: another broker runs on a copy of this state, or somebody else uses the anchor. Nothing was recorded as done.',
  },
  FRESHNESS_UNAVAILABLE: {
    class: 'unavailable',
    message: 'The anchor could not be advanced, so nothing more can be recorded as done.',
    next: 'Restart once the anchor can be reached; what was written and not confirmed is completed then.',
  },
  FRESHNESS_SEALED: {
    class: 'denied',
    message: 'The sealed secret is not released: the registers or the counter are not what it was sealed for.',
    next: 'Boot the software it was sealed for, with state that is not older than the counter.',
  },
} as const satisfies Record<string, ErrorFacts>);
