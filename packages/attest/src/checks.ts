import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { AppliedWaiver, WaivableCheck, Waiver } from './waivers.ts';

/** What became of one check. A failed check is an error, not a record. */
export type CheckOutcome = 'passed' | 'waived' | 'not-applicable';

/** One check of a verification that ended well: its code, its outcome, and what was compared. */
export interface CheckRecord {
  /** The error that the check raises when it fails. */
  readonly code: ErrorCode;
  readonly outcome: CheckOutcome;
  /** What the check asked for; for `not-applicable`, why there was nothing to compare. */
  readonly expected: string;
  /** What the evidence held; empty for `not-applicable`. */
  readonly actual: string;
  /** The part of a collection that was looked at (cpu0, gpu0, ...). Absent: there is one piece of evidence, or it is about the whole. */
  readonly part?: string;
}

/** How far a verification got before it was refused. Untrusted input may have passed the checks before the one that failed. */
export interface FailedChecks {
  /** The checks that ran before, in their order. Those after it were not run. */
  readonly before: readonly CheckRecord[];
  /** What the failed check compared. Absent: the evidence could not be read that far. */
  readonly failed?: Omit<CheckRecord, 'outcome'>;
}

interface Compared {
  readonly expected: string;
  readonly actual: string;
}

const failures = new WeakMap<object, FailedChecks>();

/**
 * The checks that ran before a verification was refused, for people who ask why. Undefined for an error that no check
 * raised. What it says is no verdict: nothing about the evidence is established once a check has failed.
 */
export function checksOf(error: unknown): FailedChecks | undefined {
  return typeof error === 'object' && error !== null ? failures.get(error) : undefined;
}

/**
 * Notes how far a verification got, for {@link checksOf}, in place of what was noted before; returns the error. For those who
 * check more than the evidence, and want their own checks to be seen as well.
 */
export function withChecks<E extends Error>(error: E, checks: FailedChecks): E {
  failures.set(error, Object.freeze({ ...checks, before: Object.freeze([...checks.before]) }));
  return error;
}

/**
 * Runs checks and keeps their record. `require` throws the check's own error unless the check passed or the policy waives
 * exactly this check; only a check of the waivable set can name itself as waivable, so no policy can waive another.
 */
export class Checklist {
  readonly #waivers: ReadonlyMap<string, Waiver>;
  readonly #records: CheckRecord[];
  readonly #applied: AppliedWaiver[];

  constructor(
    waivers: readonly Waiver[],
    before?: { checks: readonly CheckRecord[]; waivers: readonly AppliedWaiver[] },
  ) {
    this.#waivers = new Map(waivers.map((waiver) => [waiver.check, waiver]));
    this.#records = [...(before?.checks ?? [])];
    this.#applied = [...(before?.waivers ?? [])];
  }

  /** Records the check when `passed`; otherwise throws it. */
  require(code: ErrorCode, passed: boolean, compared: Compared): asserts passed {
    const { expected, actual } = compared;
    if (!passed)
      throw withChecks(failed(code, compared), { before: this.#records, failed: { code, expected, actual } });
    this.#records.push(Object.freeze({ code, outcome: 'passed', expected, actual }));
  }

  /** As {@link require}, but a waiver that names this check lets it pass and is reported. Returns whether it was waived. */
  requireUnlessWaived(code: WaivableCheck, passed: boolean, compared: Compared): 'passed' | 'waived' {
    const waiver = this.#waivers.get(code);
    if (passed || waiver === undefined) {
      this.require(code, passed, compared);
      return 'passed';
    }
    this.#records.push(Object.freeze({ code, outcome: 'waived', ...compared }));
    this.#applied.push(Object.freeze({ check: code, reason: waiver.reason, ...compared }));
    return 'waived';
  }

  /** Records that there was nothing to compare, and why. */
  notApplicable(code: ErrorCode, why: string): void {
    this.#records.push(Object.freeze({ code, outcome: 'not-applicable', expected: why, actual: '' }));
  }

  results(): { readonly checks: readonly CheckRecord[]; readonly waivers: readonly AppliedWaiver[] } {
    return { checks: Object.freeze([...this.#records]), waivers: Object.freeze([...this.#applied]) };
  }
}

/** The error of a failed check. */
export function failed(code: ErrorCode, { expected, actual }: Compared): FastnessError {
  return new FastnessError(code, `Expected ${expected}; found ${actual}.`);
}

const SHOWN = 4;

/** A list of accepted values for people; long lists are cut, as nobody reads a thousand digests in an error. */
export function anyOf(values: readonly (string | number)[]): string {
  const shown = values.slice(0, SHOWN).join(' or ');
  return values.length > SHOWN ? `${shown} or one of ${values.length - SHOWN} more` : shown;
}
