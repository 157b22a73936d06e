import type { ErrorFacts } from './class.ts';

/** Codes of `enclave`. */
export const enclaveErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
