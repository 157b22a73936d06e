import { cpus } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import {
  getLlama,
  LlamaLogLevel,
  type CustomBatchingPrioritizationStrategy,
  type Llama,
  type LlamaModel,
} from 'node-llama-cpp';
import { FastnessError } from '@fastness/codec/errors';
import { chatPromptOf, withBeginning } from './chat-prompt.ts';
import type { Embedding, Engine, EngineFiles, EngineInfo, EngineRuntime, ModelFile } from './engine.ts';
import { doesNotLoad, engineMessage } from './engine-message.ts';
import { startGeneration, type GenerateInput } from './llama-generate.ts';
import { LlamaSlot } from './llama-slot.ts';
import { Slots } from './slots.ts';
import { unitLength } from './unit-length.ts';

/**
 * Below this many parameters threads spend longer waiting for each other than working, and flash attention costs more
 * than it saves (measured at 1.5 million: 44 tokens/s with two threads; a third faster without flash attention).
 */
const TINY_BELOW = 50_000_000;

/** llama.cpp on the processor, from prebuilt binaries: nothing is built, downloaded or read outside the packages. */
export async function llamaRuntime(): Promise<EngineRuntime> {
  let llama: Llama;
  const complaints = new Complaints();
  try {
    llama = await getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      logLevel: LlamaLogLevel.error,
      logger: (_level, message) => complaints.add(message),
      maxThreads: 0,
    });
  } catch (cause) {
    throw new FastnessError('ENCLAVE_ENGINE_UNAVAILABLE', 'llama.cpp', { cause });
  }
  return {
    name: 'llama',
    version: `llama.cpp ${llama.llamaCppRelease.release}`,
    load: (options) => loadModel(llama, complaints, options),
    close: () => llama.dispose(),
  };
}

/** `threads` where given; one for tiny models; else every core that is good at arithmetic. */
export function threadsFor(parameters: number, mathCores: number, threads?: number): number {
  if (threads !== undefined) return threads;
  return parameters < TINY_BELOW ? 1 : Math.max(1, Math.min(mathCores, cpus().length));
}

/** What llama.cpp says about a file while it loads it. At any other time its messages are dropped unread. */
class Complaints {
  #kept: string[] | undefined;

  add(message: string): void {
    if (this.#kept !== undefined && this.#kept.length < 8) this.#kept.push(message.trim());
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#kept = [];
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof FastnessError) throw cause;
      // Messages cross from the engine's threads a moment after the failure they explain.
      await setTimeout(50);
      throw doesNotLoad([engineMessage(cause), ...this.#kept].join('; '));
    } finally {
      this.#kept = undefined;
    }
  }
}

async function loadModel(llama: Llama, complaints: Complaints, options: EngineFiles): Promise<Engine> {
  if (options.task === 'classify') throw new FastnessError('ENCLAVE_ENGINE_TASK', 'llama does not classify.');
  const file = onlyGguf(options.files);
  return complaints.during(async () => {
    const model = await llama.loadModel({ modelPath: file.path, gpuLayers: 0, useMmap: true, checkTensors: true });
    try {
      return options.task === 'embed' ? await embedder(llama, model, options) : await generator(llama, model, options);
    } catch (cause) {
      await model.dispose();
      throw cause;
    }
  });
}

function onlyGguf(files: EngineFiles['files']): ModelFile {
  const found = [...files].filter(([path]) => path.toLowerCase().endsWith('.gguf'));
  const [first] = found;
  if (first === undefined || found.length > 1) {
    throw new FastnessError('ENCLAVE_MODEL_FILES', `${found.length} .gguf files; llama needs exactly one.`);
  }
  return first[1];
}

function infoOf(llama: Llama, model: LlamaModel, options: EngineFiles): Omit<EngineInfo, 'task'> {
  let parameters = 0;
  for (const tensor of model.fileInfo.fullTensorInfo ?? []) {
    parameters += tensor.dimensions.reduce<number>((product, dimension) => product * Number(dimension), 1);
  }
  return {
    engine: 'llama',
    version: `llama.cpp ${llama.llamaCppRelease.release}`,
    contextLength: Math.min(options.limits.contextLength, model.trainContextSize),
    parameters,
    threads: threadsFor(parameters, llama.cpuMathCores, options.limits.threads),
  };
}

/**
 * A batch holds tokens of one request, and requests take turns. With several in a batch node-llama-cpp 3.21.1 gave requests
 * each other's next token: of 2500 answers to one prompt, eight at a time, 19 and 42 had a token doubled, skipped or exchanged,
 * and none with this.
 */
const oneAtATime: CustomBatchingPrioritizationStrategy = ({ items, size }) =>
  items.slice(0, 1).map((item) => ({ item, processAmount: Math.min(item.tokens.length, size) }));

async function generator(llama: Llama, model: LlamaModel, options: EngineFiles): Promise<Engine> {
  const base = infoOf(llama, model, options);
  const context = await model.createContext({
    sequences: options.limits.sequences,
    contextSize: base.contextLength,
    threads: base.threads,
    flashAttention: (base.parameters ?? 0) < TINY_BELOW ? false : 'auto',
    batching: { itemPrioritizationStrategy: oneAtATime },
  });
  const places = Array.from({ length: options.limits.sequences }, () => new LlamaSlot(context));
  const slots = new Slots(places, options.limits.queue);
  const chat = chatPromptOf(model);
  const info: EngineInfo = {
    ...base,
    task: 'generate',
    contextLength: Math.min(base.contextLength, context.contextSize),
  };
  const start = (input: Pick<GenerateInput, 'prompt' | 'options' | 'stopTokens' | 'stopTexts'>) => {
    if (input.prompt.length >= info.contextLength) {
      throw new FastnessError('ENCLAVE_CONTEXT_LENGTH', `${input.prompt.length} of ${info.contextLength} tokens.`);
    }
    return startGeneration({ ...input, model, slots });
  };
  return {
    info,
    usesFiles: true,
    ...(chat === undefined
      ? {}
      : {
          async chat(messages, generate) {
            return start({
              prompt: chat.tokens(messages),
              options: generate,
              stopTokens: chat.stopTokens,
              stopTexts: chat.stopTexts,
            });
          },
        }),
    async complete(prompt, generate) {
      const tokens = withBeginning(model, model.tokenize(prompt));
      if (tokens.length === 0) throw new FastnessError('ENCLAVE_REQUEST', 'The prompt is empty.');
      return start({ prompt: tokens, options: generate, stopTokens: new Set(), stopTexts: [] });
    },
    async close() {
      slots.close(new FastnessError('ENCLAVE_NOT_SERVING'));
      await context.dispose();
      await model.dispose();
    },
  };
}

async function embedder(llama: Llama, model: LlamaModel, options: EngineFiles): Promise<Engine> {
  const base = infoOf(llama, model, options);
  const context = await model.createEmbeddingContext({ contextSize: base.contextLength, threads: base.threads });
  const slots = new Slots([context], options.limits.queue);
  return {
    info: { ...base, task: 'embed', dimensions: model.embeddingVectorSize },
    usesFiles: true,
    async embed(texts, signal, tenant) {
      const slot = await slots.acquire(signal, tenant);
      try {
        const embeddings: Embedding[] = [];
        for (const text of texts) {
          signal.throwIfAborted();
          const tokens = slot.calculateInputLength(text);
          if (tokens >= base.contextLength) {
            throw new FastnessError('ENCLAVE_CONTEXT_LENGTH', `${tokens} of ${base.contextLength} tokens.`);
          }
          const { vector } = await slot.getEmbeddingFor(text);
          embeddings.push({ vector: unitLength(Float32Array.from(vector)), tokens });
        }
        return embeddings;
      } catch (cause) {
        if (signal.aborted) throw signal.reason;
        throw cause instanceof FastnessError ? cause : new FastnessError('ENCLAVE_ENGINE_FAILED', undefined, { cause });
      } finally {
        slots.release(slot);
      }
    },
    async close() {
      slots.close(new FastnessError('ENCLAVE_NOT_SERVING'));
      await context.dispose();
      await model.dispose();
    },
  };
}
