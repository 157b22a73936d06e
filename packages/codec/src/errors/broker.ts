import type { ErrorFacts } from './class.ts';

/** Codes of `broker`. */
export const brokerErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
