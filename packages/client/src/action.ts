import { FastnessError, type ErrorClass } from '@fastness/codec/errors';

/** What the caller of a client can do about an error. */
export type ClientAction =
  /** Nothing was proved, or the opposite: use no part of the answer. */
  | 'do-not-trust'
  /** What arrived is genuine and the policy refuses it: ask the owner, or change the policy. */
  | 'review-policy'
  /** Verify again and send the request again. */
  | 'send-again'
  | 'try-later'
  | 'fix-call'
  | 'fix-credential'
  | 'report';

const actions = Object.freeze({
  invalid: 'do-not-trust',
  'not-mine': 'do-not-trust',
  denied: 'review-policy',
  conflict: 'send-again',
  unavailable: 'try-later',
  limit: 'try-later',
  usage: 'fix-call',
  unauthorized: 'fix-credential',
  internal: 'report',
} as const satisfies Record<ErrorClass, ClientAction>);

/** The action that an error of the client asks for. Aborts are no FastnessError: they are the caller's own. */
export function actionFor(error: FastnessError): ClientAction {
  return actions[error.class];
}

/** How deep packages wrap what `fetch` throws. */
const deepest = 8;

/**
 * The client's error in what was thrown by something that uses its `fetch`: the `openai` package and others wrap it (`cause`).
 * Undefined: it is none of the client's, an abort or the other's own.
 */
export function fastnessErrorIn(thrown: unknown): FastnessError | undefined {
  let error = thrown;
  for (let depth = 0; depth < deepest && error instanceof Error; depth += 1) {
    if (error instanceof FastnessError) return error;
    error = error.cause;
  }
  return undefined;
}
