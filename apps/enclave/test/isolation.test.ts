import { getLlama, LlamaLogLevel, type Llama, type LlamaContext, type LlamaModel, type Token } from 'node-llama-cpp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GenerateOptions, GenerationItem } from '../src/engine/engine.ts';
import { startGeneration } from '../src/engine/llama-generate.ts';
import { LlamaSlot } from '../src/engine/llama-slot.ts';
import { Slots } from '../src/engine/slots.ts';
import { tenantOf } from '../src/serve/inner/tenant.ts';
import { codeOfAsync } from './codes.ts';
import { hasModels, heldOut, triageFile } from './models.ts';

/** What llama.cpp itself has in a sequence, which the library's own count can miss: the last position, or -1 for nothing. */
interface Native {
  readonly _ctx: { getSequenceKvCacheMaxPosition(sequence: number): number };
}

describe.skipIf(!hasModels)('what one tenant leaves to the next', { timeout: 120_000 }, () => {
  let llama: Llama;
  let model: LlamaModel;
  let context: LlamaContext;
  let slot: LlamaSlot;
  let slots: Slots<LlamaSlot>;
  let secret: Token[];
  beforeAll(async () => {
    const quiet = { progressLogs: false, logLevel: LlamaLogLevel.disabled } as const;
    llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: 0, ...quiet });
    model = await llama.loadModel({ modelPath: triageFile, gpuLayers: 0 });
    secret = model.tokenize(heldOut().note);
    // Prompts take several batches, so that one can fail half way.
    context = await model.createContext({ sequences: 1, contextSize: 512, batchSize: 16, flashAttention: false });
    slot = new LlamaSlot(context);
    slots = new Slots([slot], 4);
  });
  afterAll(async () => {
    await llama.dispose();
  });

  const start = (tenant: string, prompt: Token[], changes: Partial<GenerateOptions> = {}) =>
    startGeneration({
      model,
      slots,
      prompt,
      stopTokens: new Set(),
      stopTexts: [],
      options: {
        maxTokens: 4,
        temperature: 0,
        topP: 1,
        seed: 1,
        stop: [],
        signal: new AbortController().signal,
        tokensPerDelta: 1,
        maxDelayMs: 60_000,
        tenant,
        ...changes,
      },
    });
  const all = async (items: AsyncIterable<GenerationItem>): Promise<string> => {
    let text = '';
    for await (const item of items) if (item.kind === 'delta') text += item.text;
    return text;
  };
  /** A context has one sequence here, so its number is 0. */
  const cells = (): number => (context as unknown as Native)._ctx.getSequenceKvCacheMaxPosition(0);
  /** Takes the slot as the next tenant would, once it is free, and gives back what it was like. */
  const found = async () => {
    const taken = await slots.acquire(new AbortController().signal, 'bob');
    const { sequence } = taken;
    const seen = { cells: cells(), counted: sequence.nextTokenIndex, tokens: sequence.contextTokens.length };
    slots.release(taken);
    return seen;
  };
  const nothing = { cells: -1, counted: 0, tokens: 0 };

  it('is nothing when an answer ended, was cut, or was never read', async () => {
    expect(await found()).toEqual(nothing);
    await all(await start('alice', secret));
    expect(await found()).toEqual(nothing);
    const controller = new AbortController();
    const items = (await start('alice', secret, { maxTokens: 100, signal: controller.signal }))[Symbol.asyncIterator]();
    await items.next();
    expect(cells()).toBeGreaterThan(16);
    await items.return?.();
    expect(await found()).toEqual(nothing);
    await start('alice', secret, { maxTokens: 100, signal: controller.signal });
    controller.abort(new Error('gone'));
    expect(await found()).toEqual(nothing);
  });

  it('is nothing when the engine failed in the middle of a prompt, where clearing the history would leave cells', async () => {
    const broken = [...secret.slice(0, 16), 9_999_999 as Token];
    const { sequence } = slot;
    await expect(
      (async () => {
        for await (const token of sequence.evaluate(broken)) expect(token).toBeUndefined();
      })(),
    ).rejects.toThrow();
    await sequence.clearHistory();
    // Why slots do not rely on it.
    expect(cells()).toBe(15);
    await slot.wipe();
    expect(cells()).toBe(-1);
    expect(await codeOfAsync(start('alice', broken))).toBe('ENCLAVE_ENGINE_FAILED');
    expect(await found()).toEqual(nothing);
  });

  it('is read anew by the next tenant with the same prompt, token for token, and by the same tenant too', async () => {
    const alone = await all(await start('bob', secret));
    for (const tenant of ['alice', 'bob', 'bob']) {
      const { sequence } = slot;
      expect(sequence.tokenMeter.usedInputTokens).toBe(0);
      const text = await all(await start(tenant, secret));
      expect(text).toBe(alone);
      // All of the prompt was computed: none came from before, so there is nothing that time could tell.
      expect(sequence.tokenMeter.usedInputTokens + sequence.tokenMeter.usedOutputTokens).toBeGreaterThanOrEqual(
        secret.length,
      );
    }
  });

  it('is a salt of its own for every request without a key, and for nobody else that of a key', () => {
    const none = [tenantOf(new Headers()), tenantOf(new Headers())];
    expect(none[0]?.salt).not.toBe(none[1]?.salt);
    const named = (key: string) => tenantOf(new Headers({ authorization: key }));
    expect(named('a').salt).toBe(named('a').salt);
    expect(named('a').salt).not.toBe(named('b').salt);
  });
});

describe.skipIf(!hasModels)('what a request makes of its neighbour in a batch', { timeout: 120_000 }, () => {
  it('depends on how many tokens the neighbour has, in the last digits, and not at all on which', async () => {
    const llama = await getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      maxThreads: 0,
      progressLogs: false,
    });
    const model = await llama.loadModel({ modelPath: triageFile, gpuLayers: 0 });
    const context = await model.createContext({ sequences: 2, contextSize: 512, threads: 1, flashAttention: false });
    const slots = [new LlamaSlot(context), new LlamaSlot(context)];
    const [mine = [], ...others] = [0, 1, 2, 3].map((index) => model.tokenize(heldOut(index).note).slice(0, 24));
    expect(new Set([mine, ...others].map(String)).size).toBe(4);
    expect([mine, ...others].map(({ length }) => length)).toEqual([24, 24, 24, 24]);

    /** Probabilities of every token after `tokens`, in the order of the tokens. */
    const evaluate = async (place: LlamaSlot | undefined, tokens: Token[]): Promise<number[]> => {
      const last = tokens.length - 1;
      const results = await place?.sequence.controlledEvaluate(
        tokens.map((token, at) => (at === last ? [token, { generateNext: { probabilities: true } }] : token)),
      );
      const map = results?.[last]?.next.probabilities ?? new Map<Token, number>();
      return [...map].toSorted(([one], [other]) => one - other).map(([, probability]) => probability);
    };
    /** Both are asked for in one turn, so both are in one batch. */
    const beside = async (neighbour?: Token[]): Promise<number[]> => {
      for (const place of slots) await place.wipe();
      const [result] = await Promise.all([
        evaluate(slots[0], mine),
        ...(neighbour === undefined ? [] : [evaluate(slots[1], neighbour)]),
      ]);
      return result;
    };
    const apart = (one: number[], other: number[]): number =>
      one.reduce((most, value, at) => Math.max(most, Math.abs(value - (other[at] ?? Number.NaN))), 0);

    const alone = await beside();
    expect(alone.length).toBe(model.fileInfo.metadata.tokenizer.ggml.tokens.length);
    expect(await beside()).toEqual(alone);
    const found: number[][] = [];
    for (const other of others) found.push(await beside(other));
    const [first = [], ...rest] = found;
    // Bit for bit: what the neighbour says does not reach it.
    for (const probabilities of rest) expect(probabilities).toEqual(first);
    // Another number of tokens is another order of summing up.
    expect(apart(first, alone)).toBeLessThan(1e-3);
    await llama.dispose();
  });
});
