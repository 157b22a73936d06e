import type { InferenceSession } from 'onnxruntime-node';
import { FastnessError } from '@fastness/codec/errors';
import type { Engine, EngineFiles, EngineRuntime } from './engine.ts';
import { doesNotLoad } from './engine-message.ts';
import { toBatch, type Batch } from './onnx-batch.ts';
import { readOnnxFiles } from './onnx-files.ts';
import { toClassifications, toEmbeddings } from './onnx-output.ts';
import { Slots } from './slots.ts';

/** Texts that run through the network at once. */
const BATCH = 16;

type OnnxRuntime = typeof import('onnxruntime-node');

/** ONNX Runtime on the processor. */
export async function onnxRuntime(): Promise<EngineRuntime> {
  let runtime: OnnxRuntime;
  try {
    runtime = await import('onnxruntime-node');
    // Warnings of the runtime go to the standard output of the process and would quote names inside the model.
    runtime.env.logLevel = 'fatal';
  } catch (cause) {
    throw new FastnessError('ENCLAVE_ENGINE_UNAVAILABLE', 'ONNX Runtime', { cause });
  }
  const version = `onnxruntime ${runtime.env.versions.common}`;
  return { name: 'onnx', version, load: (options) => loadModel(runtime, version, options), close: async () => {} };
}

async function loadModel(runtime: OnnxRuntime, version: string, options: EngineFiles): Promise<Engine> {
  if (options.task === 'generate') throw new FastnessError('ENCLAVE_ENGINE_TASK', 'onnx does not generate.');
  const files = readOnnxFiles(options);
  const threads = options.limits.threads ?? 1;
  let session: InferenceSession;
  try {
    session = await runtime.InferenceSession.create(files.model.path, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 4,
    });
  } catch (cause) {
    throw doesNotLoad(cause);
  }
  const missing = session.inputNames.filter(
    (name) => !['input_ids', 'attention_mask', 'token_type_ids'].includes(name),
  );
  if (missing.length > 0 || !session.inputNames.includes('input_ids')) {
    await session.release();
    throw new FastnessError(
      'MODEL_DOES_NOT_LOAD',
      `The model wants the inputs ${session.inputNames.slice(0, 8).join(', ')}.`,
    );
  }
  const slots = new Slots([session], options.limits.queue);
  const run = async <T>(
    texts: readonly string[],
    { signal, tenant }: { readonly signal: AbortSignal; readonly tenant: string | undefined },
    read: (outputs: InferenceSession.OnnxValueMapType, batch: Batch) => T[],
  ): Promise<T[]> => {
    const slot = await slots.acquire(signal, tenant);
    try {
      const results: T[] = [];
      for (let start = 0; start < texts.length; start += BATCH) {
        signal.throwIfAborted();
        const batch = toBatch(texts.slice(start, start + BATCH), files, session.inputNames);
        results.push(...read(await slot.run(batch.feeds), batch));
      }
      return results;
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw cause instanceof FastnessError ? cause : new FastnessError('ENCLAVE_ENGINE_FAILED', undefined, { cause });
    } finally {
      slots.release(slot);
    }
  };
  const embed: Engine['embed'] = (texts, signal, tenant) =>
    run(texts, { signal, tenant }, (outputs, { lengths, columns }) =>
      toEmbeddings(outputs, lengths, columns).map((vector, row) => ({ vector, tokens: lengths[row] ?? 0 })),
    );
  const classify: Engine['classify'] = (texts, signal, tenant) =>
    run(texts, { signal, tenant }, (outputs, { lengths }) => toClassifications(outputs, lengths, files.labels));
  const close = async (): Promise<void> => {
    slots.close(new FastnessError('ENCLAVE_NOT_SERVING'));
    await session.release();
  };
  const info = { engine: 'onnx', version, contextLength: files.maxTokens, threads } as const;
  // One inference tells what the file does not: the width of its output, and whether it computes at all.
  const probe = new AbortController().signal;
  try {
    if (options.task === 'embed') {
      const [first] = await embed(['a'], probe);
      return {
        info: { ...info, task: 'embed', dimensions: first?.vector.length ?? 0 },
        usesFiles: false,
        embed,
        close,
      };
    }
    const [first] = await classify(['a'], probe);
    const labels = files.labels.length > 0 ? files.labels : (first?.scores.map((_, index) => `LABEL_${index}`) ?? []);
    return { info: { ...info, task: 'classify', labels }, usesFiles: false, classify, close };
  } catch (cause) {
    await close();
    throw cause instanceof FastnessError && cause.code !== 'ENCLAVE_ENGINE_FAILED'
      ? cause
      : doesNotLoad(cause instanceof Error ? (cause.cause ?? cause) : cause);
  }
}
