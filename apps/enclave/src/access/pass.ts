import type { Tenant } from '../serve/inner/tenant.ts';

/** Bytes of a request that stand for a token where the engine did not come to count them. */
const bytesPerToken = 4;

/** The right of one request to be answered, and what it costs its tenant. */
export class Pass {
  readonly tenant: Tenant;
  readonly #leave: (tokens: number) => void;
  /** Bytes of the request's body, once they are here. */
  bytes = 0;
  #began = false;
  #made = 0;
  #total: number | undefined;
  #left = false;

  constructor(tenant: Tenant, leave: (tokens: number) => void) {
    this.tenant = tenant;
    this.#leave = leave;
  }

  /** The engine works on it from now on. */
  began(): void {
    this.#began = true;
  }

  /** So many tokens more were made. */
  made(tokens: number): void {
    this.#made += tokens;
  }

  /** The engine counted all of them, the prompt's included. */
  total(tokens: number): void {
    this.#total = tokens;
  }

  /** Nothing is charged: the engine refused it, or broke. */
  free(): void {
    this.#began = false;
  }

  /**
   * The answer is out, or nobody wants it. Charges what was counted; of a request that was cut short, what was made and a
   * token for every four bytes it sent, or cutting would make prompts free. May be called again.
   */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    const cut = this.#began ? this.#made + Math.ceil(this.bytes / bytesPerToken) : 0;
    this.#leave(this.#total ?? cut);
  }
}
