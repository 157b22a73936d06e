import { errorClasses, type ErrorClass } from './class.ts';
import { factsOf, isKnownCode } from './facts.ts';
import type { ErrorCode } from './registry.ts';

/** RFC 9457 problem details, with Fastness's code, class and next step as extension members. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly code: ErrorCode;
  readonly class: ErrorClass;
  readonly next: string;
}

/**
 * The one error type. `detail` names the place and the sizes involved, never a secret, a prompt or key bytes.
 */
export class FastnessError extends Error {
  override readonly name = 'FastnessError';
  readonly code: ErrorCode;
  readonly detail: string | undefined;

  constructor(code: ErrorCode, detail?: string, options?: { cause?: unknown }) {
    super(detail === undefined ? factsOf(code).message : `${factsOf(code).message} ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }

  get class(): ErrorClass {
    return factsOf(this.code).class;
  }

  /** What the reader should do next. */
  get next(): string {
    return factsOf(this.code).next;
  }

  get exitCode(): number {
    return errorClasses[this.class].exitCode;
  }

  get httpStatus(): number {
    return errorClasses[this.class].httpStatus;
  }

  toProblem(): ProblemDetails {
    return {
      type: `urn:fastness:error:${this.code}`,
      title: factsOf(this.code).message,
      status: this.httpStatus,
      ...(this.detail === undefined ? {} : { detail: this.detail }),
      code: this.code,
      class: this.class,
      next: this.next,
    };
  }

  /** Rebuilds the error that a Fastness service sent; undefined when `value` is no such problem document. */
  static fromProblem(value: unknown): FastnessError | undefined {
    if (typeof value !== 'object' || value === null || !('code' in value) || !isKnownCode(value.code)) return undefined;
    const detail = 'detail' in value && typeof value.detail === 'string' ? value.detail : undefined;
    return new FastnessError(value.code, detail);
  }
}
