import type { IncomingMessage } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { parseUpstream, upstreamFile, type UpstreamSpec } from '@fastness/model';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import type { ChatMessage, Engine, EngineFiles, EngineRuntime, GenerateOptions, GenerationItem } from '../engine.ts';
import { Slots } from '../slots.ts';
import { unitLength } from '../unit-length.ts';
import { itemsOf, refuseUnlessOk } from './answers.ts';
import { readJson, send, type UpstreamAddress } from './local-http.ts';
import { startServer, type ServerProcess } from './server-process.ts';

/** Any server that speaks OpenAI's API, started by the enclave next to itself: llama-server, vLLM, SGLang. */
export async function upstreamRuntime(): Promise<EngineRuntime> {
  return { name: 'upstream', version: 'upstream', load, close: async () => {} };
}

const POLL_MS = 50;
const STOPPED = Symbol('stopped');

async function load(files: EngineFiles): Promise<Engine> {
  const described = files.files.get(upstreamFile);
  if (described === undefined) throw new FastnessError('ENCLAVE_MODEL_FILES', `There is no ${upstreamFile}.`);
  const spec = parseUpstream(new TextDecoder().decode(described.read()));
  if (spec.task !== files.task) throw new FastnessError('ENCLAVE_ENGINE_TASK', `The server is there to ${spec.task}.`);
  const server = await startServer(spec, files);
  try {
    await untilHealthy(server, spec.startSeconds * 1000);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return engineOf(spec, server, files);
}

/** Every one of these servers answers GET /health with 200 once it can work. */
async function untilHealthy({ address, ended }: ServerProcess, limitMs: number): Promise<void> {
  const stopped = ended.then((why) => ({ [STOPPED]: why }));
  const deadline = AbortSignal.timeout(limitMs);
  for (;;) {
    const tried = await Promise.race([healthy(address, deadline), stopped]);
    if (typeof tried === 'object') throw new FastnessError('MODEL_DOES_NOT_LOAD', tried[STOPPED]);
    if (tried) return;
    if (deadline.aborted) throw new FastnessError('MODEL_DOES_NOT_LOAD', 'The server was not ready in time.');
    await setTimeout(POLL_MS);
  }
}

async function healthy(address: UpstreamAddress, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await send(address, { path: '/health', signal });
    response.resume();
    return response.statusCode === 200;
  } catch {
    return false;
  }
}

function engineOf(spec: UpstreamSpec, server: ServerProcess, files: EngineFiles): Engine {
  const { address } = server;
  const { sequences, queue, contextLength } = files.limits;
  // A place per sequence of the server: whoever is more waits here, where queues are bounded and fair.
  const slots = new Slots(
    Array.from({ length: sequences }, (_, index) => index),
    queue,
  );
  let closing = false;
  const broken = server.ended.then(async (why) => {
    if (closing) await new Promise(() => {});
    return new FastnessError('ENCLAVE_ENGINE_FAILED', `The server next to the enclave: ${why}`);
  });
  const generate = async (
    path: string,
    body: object,
    options: GenerateOptions,
  ): Promise<AsyncIterable<GenerationItem>> => {
    const { signal, tenant } = options;
    const slot = await slots.acquire(signal, tenant);
    let response: IncomingMessage;
    try {
      response = await send(address, { path, body: { ...requestOf(spec, options), ...body }, signal });
      await refuseUnlessOk(response, signal);
    } catch (error) {
      slots.release(slot);
      throw error;
    }
    return releasing(itemsOf(response, signal), signal, () => {
      // Cutting the connection is how a server learns that nobody reads on.
      response.destroy();
      slots.release(slot);
    });
  };
  const base = {
    info: {
      engine: 'upstream',
      version: spec.dialect,
      task: spec.task,
      contextLength: Math.min(contextLength, spec.contextLength),
      threads: 0,
    },
    // The server has descriptors of its own.
    usesFiles: false,
    features: new Set(spec.features),
    broken,
    close: async () => {
      closing = true;
      slots.close(new FastnessError('ENCLAVE_NOT_SERVING'));
      await server.stop();
    },
  } as const;
  if (spec.task === 'embed')
    return { ...base, embed: (texts, signal, tenant) => embed({ spec, address, slots }, texts, signal, tenant) };
  return {
    ...base,
    chat: (messages, options) =>
      generate('/v1/chat/completions', { messages: messages.map(messageOf), ...options.extras }, options),
    complete: (prompt, options) => generate('/v1/completions', { prompt }, options),
  };
}

/** Members that every request to a server has; those of a dialect keep tenants apart. */
function requestOf({ model, dialect }: UpstreamSpec, options: GenerateOptions): object {
  const { maxTokens, temperature, topP, seed, stop, salt } = options;
  return {
    model,
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: maxTokens,
    temperature,
    top_p: topP,
    // Servers take 32 bits with a sign.
    seed: seed & 0x7fff_ffff,
    ...(stop.length === 0 ? {} : { stop }),
    ...(dialect === 'llama-server' ? { cache_prompt: false } : {}),
    ...(dialect === 'vllm' && salt !== undefined ? { cache_salt: salt } : {}),
  };
}

function messageOf({ role, content, toolCalls, toolCallId }: ChatMessage): object {
  return {
    role,
    content,
    ...(toolCalls === undefined ? {} : { tool_calls: toolCalls }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
  };
}

/** Waits for the first item, so that what fails at once fails the call; `done` runs once, however the reader leaves. */
async function releasing(
  items: AsyncGenerator<GenerationItem, void>,
  signal: AbortSignal,
  done: () => void,
): Promise<AsyncIterable<GenerationItem>> {
  let first: IteratorResult<GenerationItem, void>;
  try {
    first = await items.next();
  } catch (error) {
    done();
    throw error;
  }
  let left = false;
  // A reader that is gone never comes back to end the iteration itself.
  const onAbort = (): void => void leave();
  const leave = async (): Promise<IteratorResult<GenerationItem, void>> => {
    if (!left) done();
    left = true;
    signal.removeEventListener('abort', onAbort);
    await items.return().catch(() => undefined);
    return { done: true, value: undefined };
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  let pending: IteratorResult<GenerationItem, void> | undefined = first;
  const iterator: AsyncIterator<GenerationItem, void> = {
    next: async () => {
      try {
        const item = pending ?? (await items.next());
        pending = undefined;
        return item.done === true ? await leave() : item;
      } catch (error) {
        await leave();
        throw error;
      }
    },
    return: leave,
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

const embeddingsSchema = z.object({
  data: z.array(z.object({ index: z.int().min(0), embedding: z.array(z.number()) })),
  usage: z.object({ prompt_tokens: z.int().min(0) }).nullish(),
});

async function embed(
  server: { readonly spec: UpstreamSpec; readonly address: UpstreamAddress; readonly slots: Slots<number> },
  texts: readonly string[],
  signal: AbortSignal,
  tenant?: string,
): Promise<{ vector: Float32Array; tokens: number }[]> {
  const { spec, address, slots } = server;
  const body = { model: spec.model, input: texts, encoding_format: 'float' };
  const slot = await slots.acquire(signal, tenant);
  let made: unknown;
  try {
    const response = await send(address, { path: '/v1/embeddings', body, signal });
    await refuseUnlessOk(response, signal);
    made = await readJson(response, signal);
  } finally {
    slots.release(slot);
  }
  const answer = embeddingsSchema.safeParse(made);
  if (!answer.success || answer.data.data.length !== texts.length) throw new FastnessError('ENCLAVE_ENGINE_FAILED');
  const { data, usage } = answer.data;
  const ordered = data.toSorted((a, b) => a.index - b.index);
  // The server counts all texts together; whoever sums them up gets the same number.
  return ordered.map(({ embedding }, index) => ({
    vector: unitLength(Float32Array.from(embedding)),
    tokens: index === 0 ? (usage?.prompt_tokens ?? 0) : 0,
  }));
}
