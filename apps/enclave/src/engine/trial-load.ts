import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { FastnessError, isErrorCode } from '@fastness/codec/errors';
import type { EngineInfo, EngineName, EngineTask } from './engine.ts';

export interface TrialLoadOptions {
  /** A model file, or a directory of one model; plaintext, on the owner's machine. */
  readonly source: string;
  readonly engine: EngineName;
  readonly task: EngineTask;
  /** Milliseconds after which the trial counts as failed; two minutes unless given. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Numbers and names only: the child is ours, what it loads is not. */
const infoSchema: z.ZodType<EngineInfo> = z.strictObject({
  engine: z.enum(['llama', 'onnx', 'upstream']),
  version: z.string(),
  task: z.enum(['generate', 'embed', 'classify']),
  contextLength: z.number(),
  parameters: z.number().exactOptional(),
  threads: z.number(),
  dimensions: z.number().exactOptional(),
  labels: z.array(z.string()).exactOptional(),
});

const answerSchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), info: infoSchema }),
  z.strictObject({ ok: z.literal(false), code: z.string(), detail: z.string().exactOptional() }),
]);

/** What the child process answers. */
export type TrialAnswer = z.infer<typeof answerSchema>;

/**
 * Loads a model and runs one short inference in a process of its own, so that an engine that crashes over a damaged
 * file takes nothing with it. Meant for the owner, before sealing: the enclave would find out only after it was given
 * the key.
 *
 * Throws MODEL_DOES_NOT_LOAD with the engine's message, ENCLAVE_MODEL_FILES, ENCLAVE_ENGINE_TASK,
 * ENCLAVE_ENGINE_UNAVAILABLE.
 */
export async function trialLoad(options: TrialLoadOptions): Promise<EngineInfo> {
  options.signal?.throwIfAborted();
  const fromSource = import.meta.url.endsWith('.ts');
  const child = fork(
    fileURLToPath(new URL(fromSource ? './trial-load-main.ts' : './trial-load-main.js', import.meta.url)),
    [],
    {
      execArgv: fromSource ? ['--conditions=source'] : [],
      // Nothing of the owner's environment (tokens, passphrases) is needed to load a model.
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    },
  );
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const timer = setTimeout(
    () => reject(new FastnessError('MODEL_DOES_NOT_LOAD', 'The engine did not finish in time.')),
    options.timeoutMs ?? 120_000,
  );
  const abort = (): void => reject(options.signal?.reason);
  options.signal?.addEventListener('abort', abort, { once: true });
  child.once('message', (message) => resolve(message));
  child.once('error', (cause) =>
    reject(new FastnessError('ENCLAVE_ENGINE_UNAVAILABLE', 'No process for it.', { cause })),
  );
  child.once('exit', (code, signal) =>
    reject(new FastnessError('MODEL_DOES_NOT_LOAD', `The engine ended with ${signal ?? `exit code ${code}`}.`)),
  );
  child.send({ source: options.source, engine: options.engine, task: options.task }, () => {});
  try {
    const answer = answerSchema.parse(await promise);
    if (answer.ok) return answer.info;
    throw new FastnessError(isErrorCode(answer.code) ? answer.code : 'MODEL_DOES_NOT_LOAD', answer.detail);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', abort);
    child.kill('SIGKILL');
  }
}
