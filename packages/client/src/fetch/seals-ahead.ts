import { platformPrimitives, prepareSeal, type PreparedSeal, type Primitives } from '@fastness/channel';
import type { VerifiedEnclave } from '../verify/verified-enclave.ts';

/** Keeps one key agreement ready for each verified enclave, so that a request need not wait for it. */
export class SealsAhead {
  readonly #options: { readonly allowX25519: boolean; readonly primitives?: Primitives };
  readonly #ready = new WeakMap<VerifiedEnclave, Promise<PreparedSeal>>();

  constructor(options: { readonly allowX25519: boolean; readonly primitives?: Primitives }) {
    this.#options = options;
  }

  /** Starts a key agreement unless one is ready. Whoever takes it learns of its failure. */
  prepare(enclave: VerifiedEnclave): void {
    if (this.#ready.has(enclave)) return;
    const prepared = this.#make(enclave);
    prepared.catch(() => undefined);
    this.#ready.set(enclave, prepared);
  }

  /** The key agreement that is ready, or a new one. Each is given once. */
  take(enclave: VerifiedEnclave): Promise<PreparedSeal> {
    const prepared = this.#ready.get(enclave) ?? this.#make(enclave);
    this.#ready.delete(enclave);
    return prepared;
  }

  async #make({ keyConfig, protocol }: VerifiedEnclave): Promise<PreparedSeal> {
    const { allowX25519, primitives = await platformPrimitives() } = this.#options;
    return prepareSeal({ keyConfig, protocol, allowX25519, primitives });
  }
}
