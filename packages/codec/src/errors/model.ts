import type { ErrorFacts } from './class.ts';
import { releaseErrors } from './release.ts';

/** Codes of `model`. */
export const modelErrors = Object.freeze({ ...releaseErrors } as const satisfies Record<string, ErrorFacts>);
