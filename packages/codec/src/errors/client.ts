import type { ErrorFacts } from './class.ts';

/** Codes of `client`. */
export const clientErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
