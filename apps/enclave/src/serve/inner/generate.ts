import { FastnessError } from '@fastness/codec/errors';
import type {
  ChatExtras,
  ChatMessage,
  Engine,
  EngineFeature,
  GenerateOptions,
  GenerationItem,
  ToolCall,
  ToolCallPart,
} from '../../engine/engine.ts';
import { realPace } from '../traffic/pace.ts';
import { ApiError } from './api-error.ts';
import type { ApiContext } from './context.ts';
import { jsonResponse } from './padding.ts';
import { started, type RequestScope } from './request-scope.ts';
import type { ChatRequest, CompletionRequest } from './schema.ts';
import { eventStream, type AnswerItem, type StreamFormat } from './sse.ts';

type End = Extract<GenerationItem, { kind: 'end' }>;

/** POST /v1/chat/completions. */
export async function chatCompletion(
  context: ApiContext,
  request: ChatRequest,
  scope: RequestScope,
): Promise<Response> {
  const chat = context.engine.chat;
  if (chat === undefined) throw cannot(context.engine, 'chat: it does not generate, or carries no chat template');
  const messages = messagesOf(request, context.limits.messages);
  const extras = extrasOf(context.engine, request);
  const options = {
    ...optionsOf(context, request, scope),
    ...(extras === undefined ? {} : { extras }),
  };
  const items = await begun(
    context,
    request,
    scope,
    started(() => chat(messages, options), scope),
  );
  return respond(context, request, scope, metered(items, scope), 'chat');
}

/** POST /v1/completions. */
export async function textCompletion(
  context: ApiContext,
  request: CompletionRequest,
  scope: RequestScope,
): Promise<Response> {
  const complete = context.engine.complete;
  if (complete === undefined) throw cannot(context.engine, 'generate');
  const prompt = typeof request.prompt === 'string' ? request.prompt : request.prompt[0];
  const options = optionsOf(context, request, scope);
  const items = await begun(
    context,
    request,
    scope,
    started(() => complete(prompt, options), scope),
  );
  return respond(context, request, scope, metered(items, scope), 'text');
}

/**
 * A generation that began. A stream of a length that its request decides does not wait for it past its first step: how long a
 * prompt takes to read would show in when the answer begins. What fails later is an event of the stream.
 */
async function begun(
  { shape }: ApiContext,
  { stream }: ChatRequest | CompletionRequest,
  { signal }: RequestScope,
  items: Promise<AsyncIterable<GenerationItem>>,
): Promise<AsyncIterable<GenerationItem>> {
  if (shape?.tokensPerFrame === undefined || stream !== true) return items;
  const waited = new AbortController();
  // Half a step, so that the answer is in time for the whole one.
  const step = realPace.wait(shape.startMs / 2, AbortSignal.any([signal, waited.signal]));
  try {
    return (await Promise.race([items, step])) ?? later(items);
  } finally {
    waited.abort();
  }
}

async function* later(items: Promise<AsyncIterable<GenerationItem>>): AsyncGenerator<GenerationItem, void> {
  yield* await items;
}

/** Counts for the tenant what the engine makes, and hands on what belongs to an answer. */
async function* metered(
  items: AsyncIterable<GenerationItem>,
  { pass }: RequestScope,
): AsyncGenerator<AnswerItem, void> {
  for await (const item of items) {
    if (item.kind === 'end') pass.total(item.promptTokens + item.completionTokens);
    else pass.made(item.tokens);
    if (item.kind !== 'unsaid') yield item;
  }
}

export function cannot(engine: Engine, what: string, param?: string): ApiError {
  return new ApiError(new FastnessError('ENCLAVE_CAPABILITY', `It cannot ${what}; its task is ${engine.info.task}.`), {
    status: 400,
    ...(param === undefined ? {} : { param, code: 'unsupported_parameter' }),
  });
}

function messagesOf(request: ChatRequest, limit: number): ChatMessage[] {
  if (request.messages.length > limit) throw refused('messages', `has more than ${limit} items`);
  if (request.messages.at(-1)?.role === 'assistant') throw refused('messages', 'must not end with the assistant');
  return request.messages.map((message) => {
    const content = textOf(message.content);
    if (message.role === 'tool') return { role: 'tool', content, toolCallId: message.tool_call_id };
    const calls = message.role === 'assistant' ? (message.tool_calls ?? undefined) : undefined;
    return {
      role: message.role === 'developer' ? 'system' : message.role,
      content,
      ...(calls === undefined ? {} : { toolCalls: calls }),
    };
  });
}

function textOf(content: ChatRequest['messages'][number]['content']): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map(({ text }) => text).join('\n');
}

/** What the request asks for beside text; refused where the engine would not do it, since ignoring it would look like an answer. */
function extrasOf(engine: Engine, request: ChatRequest): ChatExtras | undefined {
  const can = (feature: EngineFeature): boolean => engine.features?.has(feature) === true;
  const { tools, tool_choice, parallel_tool_calls, response_format, messages } = request;
  const aboutTools = messages.some(
    (message) => message.role === 'tool' || ('tool_calls' in message && message.tool_calls),
  );
  if (!can('tools')) {
    if ((tools ?? []).length > 0) throw cannot(engine, 'call tools', 'tools');
    if (aboutTools) throw cannot(engine, 'read calls of tools', 'messages');
  }
  const format = response_format?.type === 'text' ? undefined : (response_format ?? undefined);
  if (format !== undefined && !can('json')) throw cannot(engine, 'hold its answers to JSON', 'response_format');
  const given = (tools ?? []).length > 0;
  const extras = {
    ...(given ? { tools: tools ?? [] } : {}),
    ...(given && tool_choice ? { tool_choice } : {}),
    ...(given && typeof parallel_tool_calls === 'boolean' ? { parallel_tool_calls } : {}),
    ...(format === undefined ? {} : { response_format: format }),
  };
  return Object.keys(extras).length === 0 ? undefined : extras;
}

function limitName(request: ChatRequest | CompletionRequest): string {
  const newer = 'max_completion_tokens' in request && typeof request.max_completion_tokens === 'number';
  return newer ? 'max_completion_tokens' : 'max_tokens';
}

/** The tokens that a request allows, where it says so. */
function limitOf(request: ChatRequest | CompletionRequest): number | undefined {
  const limit =
    'max_completion_tokens' in request ? (request.max_completion_tokens ?? request.max_tokens) : request.max_tokens;
  return limit ?? undefined;
}

function optionsOf(
  { limits, shape }: ApiContext,
  request: ChatRequest | CompletionRequest,
  { signal, pass: { tenant } }: RequestScope,
): GenerateOptions {
  const maxTokens = limitOf(request);
  if ((maxTokens ?? 0) > limits.maxTokens) throw refused(limitName(request), `is more than ${limits.maxTokens}`);
  const [random = 0] = globalThis.crypto.getRandomValues(new Uint32Array(1));
  return {
    maxTokens: maxTokens ?? limits.maxTokens,
    temperature: request.temperature ?? 1,
    topP: request.top_p ?? 1,
    seed: request.seed === null || request.seed === undefined ? random : request.seed >>> 0,
    stop: typeof request.stop === 'string' ? [request.stop] : (request.stop ?? []),
    signal,
    tenant: tenant.id,
    salt: tenant.salt,
    tokensPerDelta: limits.tokensPerFrame,
    // A frame leaves whether there is text for it or not, so none is kept back for the next.
    maxDelayMs: shape?.frameMs ?? limits.frameDelayMs,
  };
}

function refused(param: string, why: string): ApiError {
  return new ApiError(new FastnessError('ENCLAVE_REQUEST', `${param} ${why}.`), { param, code: 'invalid_value' });
}

/** The two endpoints differ in the names of their objects and in where the text stands. */
const shapes = {
  chat: { id: 'chatcmpl', object: 'chat.completion', chunk: 'chat.completion.chunk' },
  text: { id: 'cmpl', object: 'text_completion', chunk: 'text_completion' },
} as const;

async function respond(
  context: ApiContext,
  request: ChatRequest | CompletionRequest,
  scope: RequestScope,
  items: AsyncIterable<AnswerItem>,
  kind: keyof typeof shapes,
): Promise<Response> {
  const shape = shapes[kind];
  const head = {
    id: `${shape.id}-${globalThis.crypto.randomUUID().replaceAll('-', '')}`,
    created: Math.floor(context.now().getTime() / 1000),
    model: context.modelId,
  };
  if (request.stream === true) {
    const withUsage = request.stream_options?.include_usage === true;
    const format = streamFormat({ ...head, object: shape.chunk }, kind, withUsage);
    const { signal, cancel, done } = scope;
    const maxTokens = limitOf(request);
    return eventStream({ items, format, signal, cancel, done, shape: context.shape, maxTokens });
  }
  let text = '';
  const calls: ToolCall[] = [];
  for await (const item of items) {
    if (item.kind === 'delta') text += item.text;
    else if (item.kind === 'calls') join(calls, item.calls);
    else {
      scope.signal.throwIfAborted();
      const choices = [choice(kind, { text, calls }, item)];
      return jsonResponse({ ...head, object: shape.object, choices, usage: usageOf(item) });
    }
  }
  throw new FastnessError('ENCLAVE_ENGINE_FAILED', 'The generation has no end.');
}

/** Puts parts of calls where they belong; `calls` is in the order of their indices. */
function join(calls: ToolCall[], parts: readonly ToolCallPart[]): void {
  for (const { index, id, function: called } of parts) {
    const before = calls[index] ?? { id: '', type: 'function', function: { name: '', arguments: '' } };
    calls[index] = {
      id: id ?? before.id,
      type: 'function',
      function: {
        name: before.function.name + (called?.name ?? ''),
        arguments: before.function.arguments + (called?.arguments ?? ''),
      },
    };
  }
}

function choice(kind: keyof typeof shapes, said: { text: string; calls: readonly ToolCall[] }, end: End): object {
  const rest = { index: 0, logprobs: null, finish_reason: end.finishReason };
  const { text, calls } = said;
  if (kind === 'text') return { ...rest, text };
  const message = { role: 'assistant', content: text === '' && calls.length > 0 ? null : text, refusal: null };
  return { ...rest, message: calls.length === 0 ? message : { ...message, tool_calls: calls } };
}

/** The unchanging parts of an event are written once: a fast model makes more than a thousand tokens a second. */
function streamFormat(head: object, kind: keyof typeof shapes, withUsage: boolean): StreamFormat {
  const usage = withUsage ? ',"usage":null' : '';
  const start = `data: ${JSON.stringify(head).slice(0, -1)},"choices":`;
  const choices = (content: string, reason: string): string =>
    `${start}[{"index":0,${content},"logprobs":null,"finish_reason":${reason}}]${usage}}\n\n`;
  const part = (text: string): string => (kind === 'chat' ? `"delta":{"content":${text}}` : `"text":${text}`);
  return {
    start: kind === 'chat' ? choices('"delta":{"role":"assistant","content":"","refusal":null}', 'null') : '',
    delta: (text) => choices(part(JSON.stringify(text)), 'null'),
    calls: (calls) => choices(`"delta":${JSON.stringify({ tool_calls: calls })}`, 'null'),
    end: (end) =>
      choices(kind === 'chat' ? '"delta":{}' : '"text":""', JSON.stringify(end.finishReason)) +
      (withUsage ? `${start}[],"usage":${JSON.stringify(usageOf(end))}}\n\n` : ''),
  };
}

function usageOf({ promptTokens, completionTokens }: End): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
