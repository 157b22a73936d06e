import type { ErrorFacts } from './class.ts';

/** Codes of `testkit`. */
export const testkitErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
