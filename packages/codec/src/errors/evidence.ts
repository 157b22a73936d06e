import type { ErrorFacts } from './class.ts';

/** Codes of `evidence`. */
export const evidenceErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
