import type { ErrorFacts } from './class.ts';

/** Codes of the broker's database beyond `BROKER_STORE`: which part of it failed, and what that means for the request. */
export const brokerStoreErrors = Object.freeze({
  BROKER_STORE_BUSY: {
    class: 'unavailable',
    message: 'The database of the broker did not get to it within the time allowed.',
    next: 'Try again; if it stays so, look for a transaction that holds its lock and at the number of connections.',
  },
  BROKER_STORE_UNREACHABLE: {
    class: 'unavailable',
    message: 'The database server of the broker cannot be reached.',
    next: 'Check that the server runs and that the database URL of the broker leads to it, then try again.',
  },
  BROKER_STORE_ACCESS: {
    class: 'unavailable',
    message: 'The database server refuses the broker.',
    next: 'Check user, password file, database and the privileges of the user on its schema.',
  },
  BROKER_STORE_UNSAFE: {
    class: 'conflict',
    message: 'The database server does not keep what it acknowledges, or takes no writes.',
    next: 'Use a primary server with fsync and full_page_writes on; the detail names the setting.',
  },
  BROKER_STORE_UNCERTAIN: {
    class: 'unavailable',
    message: 'The connection to the database ended while it committed, and whether it did is not known.',
    next: 'Try again; nothing was handed out. The audit log holds the entry of what may have been recorded.',
  },
} as const satisfies Record<string, ErrorFacts>);
