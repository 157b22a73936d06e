/**
 * Classes of error. A class decides the CLI's exit code and the HTTP status; a code (see the tables beside
 * this file) says which check failed. Three outcomes are kept apart everywhere: the input is *not mine*,
 * the check is *unavailable*, the input is *invalid*.
 */
export interface ClassFacts {
  readonly exitCode: number;
  readonly httpStatus: number;
  readonly meaning: string;
}

export const errorClasses = Object.freeze({
  usage: { exitCode: 2, httpStatus: 400, meaning: 'The call itself is wrong: an argument, an option, a request body.' },
  'not-mine': { exitCode: 3, httpStatus: 415, meaning: 'The input is not of the format this reader knows.' },
  invalid: { exitCode: 4, httpStatus: 422, meaning: 'The input is malformed, forged, damaged or stale.' },
  denied: { exitCode: 5, httpStatus: 403, meaning: 'The input is authentic and a policy refuses it.' },
  unauthorized: { exitCode: 6, httpStatus: 401, meaning: 'A credential is missing or wrong.' },
  unavailable: {
    exitCode: 7,
    httpStatus: 503,
    meaning: 'Something needed could not be reached; trying again may help.',
  },
  conflict: { exitCode: 8, httpStatus: 409, meaning: 'The state on hand does not allow it.' },
  limit: { exitCode: 9, httpStatus: 429, meaning: 'A stated limit was reached.' },
  internal: { exitCode: 70, httpStatus: 500, meaning: 'A fault of Fastness itself.' },
} as const satisfies Record<string, ClassFacts>);

export type ErrorClass = keyof typeof errorClasses;

/** One row of the registry: `message` says what is wrong, `next` what the reader should do about it. */
export interface ErrorFacts {
  readonly class: ErrorClass;
  readonly message: string;
  readonly next: string;
}
