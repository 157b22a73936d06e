import type { LlamaContext, LlamaContextSequence } from 'node-llama-cpp';

/**
 * A place for one request at a time in the engine's memory. Its sequence has keys and values of its own (llama.cpp gives each
 * sequence a stream, and attention never crosses them), and every request gets a new one.
 *
 * What was computed is marked as free, not overwritten: the numbers stay in the enclave's memory until others take their place,
 * and no sequence reads cells that are not its own.
 */
export class LlamaSlot {
  readonly #context: LlamaContext;
  #sequence: LlamaContextSequence;

  constructor(context: LlamaContext) {
    this.#context = context;
    this.#sequence = context.getSequence();
  }

  get sequence(): LlamaContextSequence {
    return this.#sequence;
  }

  /**
   * Nothing is left for the next request, whatever became of this one. Clearing the history would not do: that removes what the
   * library counted, and a batch that failed left cells behind which it never counts.
   */
  async wipe(): Promise<void> {
    // Its cells are gone when this resolves; that waits for the batch under way.
    await this.#sequence.dispose();
    this.#sequence = this.#context.getSequence();
  }
}
