import { setImmediate } from 'node:timers/promises';
import type { LlamaModel, Token } from 'node-llama-cpp';
import { FastnessError } from '@fastness/codec/errors';
import { DeltaBuffer } from './delta-buffer.ts';
import type { FinishReason, GenerateOptions, GenerationItem } from './engine.ts';
import type { LlamaSlot } from './llama-slot.ts';
import type { Slots } from './slots.ts';

export interface GenerateInput {
  readonly model: LlamaModel;
  readonly slots: Slots<LlamaSlot>;
  readonly prompt: Token[];
  readonly options: GenerateOptions;
  readonly stopTokens: ReadonlySet<Token>;
  readonly stopTexts: readonly string[];
}

/**
 * Starts a generation and waits for its first item, so that a full queue and an engine that fails at once are errors of
 * the call. The sequence goes back when the iteration ends or the signal fires.
 */
export async function startGeneration(input: GenerateInput): Promise<AsyncIterable<GenerationItem>> {
  const { signal, tenant } = input.options;
  const items = generate(input, await input.slots.acquire(signal, tenant));
  const first = await items.next();
  // A consumer that is gone never comes back to end the iteration itself.
  const end = (): void => void items.return().catch(() => {});
  signal.addEventListener('abort', end, { once: true });
  return (async function* resume() {
    try {
      if (first.done === true) return;
      yield first.value;
      yield* items;
    } finally {
      signal.removeEventListener('abort', end);
      await items.return();
    }
  })();
}

async function* generate(input: GenerateInput, slot: LlamaSlot): AsyncGenerator<GenerationItem, void> {
  const { model, options, prompt } = input;
  const { sequence } = slot;
  const maxTokens = Math.min(options.maxTokens, sequence.contextSize - prompt.length);
  const buffer = new DeltaBuffer(
    (tokens: readonly Token[], before) => model.detokenize(tokens, false, before),
    [...options.stop, ...input.stopTexts],
    options,
  );
  const { temperature, topP, seed } = options;
  const tokens = sequence.evaluate(prompt, { temperature, topP, seed });
  // Asked for every token, which a composite signal answers by asking all it is made of.
  let aborted = options.signal.aborted;
  const onAbort = (): void => void (aborted = true);
  options.signal.addEventListener('abort', onAbort, { once: true });
  let finishReason: FinishReason = 'stop';
  let completionTokens = 0;
  // The engine works on the next token, in a thread of its own, while this thread handles the last one.
  let next = tokens.next();
  try {
    for (;;) {
      const { value: token, done } = await next;
      if (aborted) throw options.signal.reason;
      if (done === true || input.stopTokens.has(token)) break;
      completionTokens++;
      if (completionTokens < maxTokens) next = tokens.next();
      buffer.add(token);
      if (buffer.stopped) break;
      if (completionTokens >= maxTokens) {
        finishReason = 'length';
        break;
      }
      const delta = buffer.take();
      if (delta === undefined) continue;
      // The engine hands the next token to its thread a turn from now: what becomes of this delta is done meanwhile.
      await setImmediate();
      await setImmediate();
      yield delta;
    }
    const rest = buffer.finish();
    if (buffer.stopped) finishReason = 'stop';
    if (rest !== undefined) yield rest;
  } catch (cause) {
    if (options.signal.aborted) throw options.signal.reason;
    throw new FastnessError('ENCLAVE_ENGINE_FAILED', undefined, { cause });
  } finally {
    options.signal.removeEventListener('abort', onAbort);
    await next.catch(() => {});
    await giveBack(input.slots, slot, tokens);
  }
  yield { kind: 'end', finishReason, promptTokens: prompt.length, completionTokens };
}

/** Wipes what the request left in its slot. One that cannot be wiped serves nobody again. */
async function giveBack(slots: Slots<LlamaSlot>, slot: LlamaSlot, tokens: AsyncGenerator<Token>): Promise<void> {
  try {
    await tokens.return(undefined);
    await slot.wipe();
  } catch {
    // The engine was closed meanwhile, or is broken.
    return;
  }
  slots.release(slot);
}
