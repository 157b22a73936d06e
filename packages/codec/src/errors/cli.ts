import type { ErrorFacts } from './class.ts';

/** Codes of `cli`. */
export const cliErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
