import type { ErrorFacts } from './class.ts';

/** Codes of `relay`. */
export const relayErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
