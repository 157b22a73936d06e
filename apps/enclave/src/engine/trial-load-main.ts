import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, sep } from 'node:path';
import { z } from 'zod';
import { FastnessError } from '@fastness/codec/errors';
import type { Engine, EngineInfo, EngineTask, GenerateOptions, ModelFile } from './engine.ts';
import { engineMessage } from './engine-message.ts';
import { engineRuntime } from './select.ts';
import type { TrialAnswer } from './trial-load.ts';

// The child process of trialLoad: one request over the parent's channel, one answer.

const requestSchema = z.strictObject({
  source: z.string().min(1),
  engine: z.enum(['llama', 'onnx', 'upstream']),
  task: z.enum(['generate', 'embed', 'classify']),
});

process.once('message', (message) => {
  void attempt(message).then((answer) => process.send?.(answer));
});

async function attempt(message: unknown): Promise<TrialAnswer> {
  try {
    return { ok: true, info: await load(requestSchema.parse(message)) };
  } catch (error) {
    if (error instanceof FastnessError) {
      return { ok: false, code: error.code, ...(error.detail === undefined ? {} : { detail: error.detail }) };
    }
    return { ok: false, code: 'MODEL_DOES_NOT_LOAD', detail: engineMessage(error) };
  }
}

async function load({ source, engine, task }: z.infer<typeof requestSchema>): Promise<EngineInfo> {
  const runtime = await engineRuntime(engine);
  const limits = { sequences: 1, queue: 1, contextLength: 512 };
  const loaded = await runtime.load({ files: modelFiles(source), task, limits });
  await infer(loaded, task);
  return loaded.info;
}

async function infer(engine: Engine, task: EngineTask): Promise<void> {
  const { signal } = new AbortController();
  // onnx has run once while it loaded; llama embeds without a probe of its own.
  if (task === 'embed') await engine.embed?.(['a'], signal);
  if (task !== 'generate') return;
  const options: GenerateOptions = {
    maxTokens: 4,
    temperature: 0,
    topP: 1,
    seed: 0,
    stop: [],
    signal,
    tokensPerDelta: 4,
    maxDelayMs: 60_000,
  };
  const items = await (engine.chat?.([{ role: 'user', content: 'a' }], options) ?? engine.complete?.('a', options));
  for await (const item of items ?? []) if (item.kind === 'end') return;
  throw new FastnessError('MODEL_DOES_NOT_LOAD', 'The engine answered nothing.');
}

function modelFiles(source: string): Map<string, ModelFile> {
  if (!statSync(source).isDirectory()) return new Map([[basename(source), diskFile(source)]]);
  return new Map(
    readdirSync(source, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(source.length).split(sep).filter(Boolean).join('/'), diskFile(path)]),
  );
}

function diskFile(path: string): ModelFile {
  return { path, size: () => statSync(path).size, read: () => readFileSync(path) };
}
