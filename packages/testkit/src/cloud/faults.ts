import type { FakeAnswer } from '../services/answer.ts';

/** One way for one operation of a key service to go wrong. */
export type CloudFault =
  /** Answers with an error of the service's own form: its name and a status. */
  | { readonly kind: 'error'; readonly name: string; readonly status: number; readonly message?: string }
  /** Answers properly, but with this done to the fields of the answer. */
  | { readonly kind: 'alter'; readonly alter: (answer: Record<string, unknown>) => Record<string, unknown> };

/** Which operations fail how, and how often. */
export class FaultPlan {
  #planned: { readonly operation: string; readonly fault: CloudFault; left: number }[] = [];

  plan(operation: string, fault: CloudFault, times = Number.POSITIVE_INFINITY): void {
    this.#planned.push({ operation, fault, left: times });
  }

  clear(): void {
    this.#planned = [];
  }

  take(operation: string): CloudFault | undefined {
    const found = this.#planned.find((one) => one.left > 0 && one.operation === operation);
    if (found !== undefined) found.left -= 1;
    return found?.fault;
  }
}

/** An error as a service would send it. */
export class ServiceError extends Error {
  override readonly name: string;
  readonly status: number;

  constructor(name: string, status: number, message = name) {
    super(message);
    this.name = name;
    this.status = status;
  }
}

export function jsonAnswer(
  status: number,
  value: unknown,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): FakeAnswer {
  return { status, contentType, headers, body: JSON.stringify(value) };
}
