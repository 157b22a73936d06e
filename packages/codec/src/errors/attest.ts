import type { ErrorFacts } from './class.ts';

/** Codes of `attest`. */
export const attestErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
