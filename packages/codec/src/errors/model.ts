import type { ErrorFacts } from './class.ts';

/** Codes of `model`. */
export const modelErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
