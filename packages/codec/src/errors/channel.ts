import type { ErrorFacts } from './class.ts';

/** Codes of `channel`. */
export const channelErrors = Object.freeze({} as const satisfies Record<string, ErrorFacts>);
