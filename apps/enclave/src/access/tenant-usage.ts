import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { TenantLimits } from '@fastness/model';
import type { Tenant } from '../serve/inner/tenant.ts';

const dayMs = 24 * 3600_000;

/** A refusal that waiting ends. */
export class TenantLimit extends Error {
  override readonly name = 'TenantLimit';
  readonly error: FastnessError;
  /** Seconds, at least 1. */
  readonly retryAfter: number;

  constructor(code: ErrorCode, retryAfterMs: number) {
    const error = new FastnessError(code);
    super(error.message);
    this.error = error;
    this.retryAfter = Math.max(1, Math.ceil(retryAfterMs / 1000));
  }
}

/**
 * What one tenant has used of its limits in this enclave. Requests are a bucket that holds a minute's worth and fills evenly; tokens
 * are counted in days of UTC and are known only when they were made, so requests that are running when the last one is used
 * go over by what they make.
 *
 * It is memory of the process: another enclave counts for itself, and a host that starts this one again starts the counts again.
 */
export class TenantUsage {
  readonly tenant: Tenant;
  limits: TenantLimits;
  #running = 0;
  #requests: number;
  #filledAt: number;
  #day = 0;
  #tokens = 0;

  /** `clock` in milliseconds that only rise. */
  constructor(tenant: Tenant, limits: TenantLimits, clock: number) {
    this.tenant = tenant;
    this.limits = limits;
    this.#requests = limits.requestsPerMinute ?? 0;
    this.#filledAt = clock;
  }

  /** Takes a request in; the caller calls `leave` once. Throws TenantLimit; what was refused counts for nothing. */
  enter(clock: number, now: Date): void {
    const { requestsPerMinute, tokensPerDay, concurrent } = this.limits;
    if (concurrent !== undefined && this.#running >= concurrent) {
      throw new TenantLimit('ENCLAVE_TENANT_CONCURRENT', 1000);
    }
    if (tokensPerDay !== undefined && this.#tokensOf(now) >= tokensPerDay) {
      throw new TenantLimit('ENCLAVE_TENANT_TOKENS', dayMs - (now.getTime() % dayMs));
    }
    if (requestsPerMinute !== undefined) {
      const perMs = requestsPerMinute / 60_000;
      const filled = this.#requests + Math.max(0, clock - this.#filledAt) * perMs;
      this.#requests = Math.min(requestsPerMinute, filled);
      this.#filledAt = clock;
      if (this.#requests < 1) throw new TenantLimit('ENCLAVE_TENANT_REQUESTS', (1 - this.#requests) / perMs);
      this.#requests -= 1;
    }
    this.#running += 1;
  }

  leave(now: Date, tokens: number): void {
    this.#running -= 1;
    this.#tokens = this.#tokensOf(now) + tokens;
  }

  #tokensOf(now: Date): number {
    const day = Math.floor(now.getTime() / dayMs);
    // Never back: the time of another broker may be a little behind.
    if (day > this.#day) {
      this.#day = day;
      this.#tokens = 0;
    }
    return this.#tokens;
  }
}
