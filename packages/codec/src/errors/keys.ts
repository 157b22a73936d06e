import type { ErrorFacts } from './class.ts';

/** Codes of `keys`. */
export const keysErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
