import type { IncomingMessage } from 'node:http';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import type { FinishReason, GenerationItem, ToolCallPart } from '../engine.ts';
import { readEvents, readJson } from './local-http.ts';

/** Of what a server says, only what is known passes on: names, numbers and texts of the model. */
const callPart = z.object({
  index: z.int().min(0).max(127).default(0),
  id: z.string().max(256).nullish(),
  function: z.object({ name: z.string().max(256).nullish(), arguments: z.string().nullish() }).nullish(),
});

const eventSchema = z.object({
  choices: z
    .array(
      z.object({
        text: z.string().nullish(),
        delta: z
          .object({
            content: z.string().nullish(),
            tool_calls: z.array(callPart).max(128).nullish(),
            // What models think, as llama-server and vLLM name it.
            reasoning_content: z.string().nullish(),
            reasoning: z.string().nullish(),
          })
          .nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .max(1)
    .default([]),
  usage: z.object({ prompt_tokens: z.int().min(0), completion_tokens: z.int().min(0).default(0) }).nullish(),
  error: z.object({ message: z.string().optional() }).nullish(),
});

const errorSchema = z.object({ error: z.object({ message: z.string().default(''), type: z.string().default('') }) });

/** Characters of a server's own words that pass on to who asked. */
const QUOTED = 300;

/** Throws what a refusal of the server means; its words go to who asked, inside the channel, and never into a log. */
export async function refuseUnlessOk(response: IncomingMessage, signal: AbortSignal): Promise<void> {
  const { statusCode = 0 } = response;
  if (statusCode === 200) return;
  const parsed = errorSchema.safeParse(await readJson(response, signal).catch(() => undefined));
  signal.throwIfAborted();
  const { message = '', type = '' } = parsed.data?.error ?? {};
  const words = message.slice(0, QUOTED);
  if (/context/iu.test(`${type} ${message}`) && statusCode === 400)
    throw new FastnessError('ENCLAVE_CONTEXT_LENGTH', words);
  if (statusCode === 429 || statusCode === 503) throw new FastnessError('ENCLAVE_BUSY');
  if (statusCode >= 400 && statusCode < 500) throw new FastnessError('ENCLAVE_REQUEST', words);
  throw new FastnessError('ENCLAVE_ENGINE_FAILED');
}

const reasons: Readonly<Record<string, FinishReason>> = Object.freeze({
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
});

/** What a streamed answer holds, in the order in which it came; the end once the server has said how many tokens there were. */
export async function* itemsOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<GenerationItem, void> {
  let finishReason: FinishReason | undefined;
  let usage: { prompt_tokens: number; completion_tokens: number } | undefined;
  let deltas = 0;
  for await (const value of readEvents(response, signal)) {
    const event = eventSchema.safeParse(value);
    if (!event.success || (event.data.error ?? undefined) !== undefined)
      throw new FastnessError('ENCLAVE_ENGINE_FAILED');
    const [choice] = event.data.choices;
    usage = event.data.usage ?? usage;
    if (choice === undefined) continue;
    const text = choice.text ?? choice.delta?.content ?? '';
    if (text !== '') {
      deltas += 1;
      yield { kind: 'delta', text, tokens: 1 };
    }
    const calls = choice.delta?.tool_calls ?? [];
    if (calls.length > 0) {
      deltas += 1;
      yield { kind: 'calls', calls: calls.map(partOf), tokens: 1 };
    }
    if ((choice.delta?.reasoning_content ?? choice.delta?.reasoning ?? '') !== '') {
      deltas += 1;
      yield { kind: 'unsaid', tokens: 1 };
    }
    if (typeof choice.finish_reason === 'string') finishReason = reasons[choice.finish_reason] ?? 'stop';
  }
  if (finishReason === undefined) throw new FastnessError('ENCLAVE_ENGINE_FAILED', 'The generation has no end.');
  yield {
    kind: 'end',
    finishReason,
    promptTokens: usage?.prompt_tokens ?? 0,
    completionTokens: usage?.completion_tokens ?? deltas,
  };
}

function partOf({ index, id, function: called }: z.infer<typeof callPart>): ToolCallPart {
  const { name, arguments: given } = called ?? {};
  return {
    index,
    ...(typeof id === 'string' ? { id, type: 'function' as const } : {}),
    ...(called === null || called === undefined
      ? {}
      : {
          function: {
            ...(typeof name === 'string' ? { name } : {}),
            ...(typeof given === 'string' ? { arguments: given } : {}),
          },
        }),
  };
}
