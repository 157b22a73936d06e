import type { FastnessClient } from '@fastness/client';
import { concatBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import type { Exchange } from './receipts.ts';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ChatAnswer extends Exchange {
  readonly text: string;
  readonly firstTokenMilliseconds: number;
}

/** Streams one chat completion; each piece of text is handed to `onText` as it arrives. */
export async function ask(
  client: Pick<FastnessClient, 'fetch'>,
  options: { model: string; messages: readonly ChatMessage[]; onText: (text: string) => void; signal: AbortSignal },
): Promise<ChatAnswer> {
  const { model, messages, onText, signal } = options;
  const requestBody = new TextEncoder().encode(JSON.stringify({ model, messages, stream: true, temperature: 0 }));
  const started = performance.now();
  let firstTokenMilliseconds = 0;
  // The host of this address is never contacted: the client maps the path onto the enclave's channel.
  const response = await client.fetch('https://enclave.invalid/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: requestBody,
    signal,
  });
  if (!response.ok || response.body === null) throw await asError(response);
  let text = '';
  const received: Uint8Array[] = [];
  let ended = false;
  let failure: FastnessError | undefined;
  for await (const data of serverSentEvents(response.body.pipeThrough(keepingBytes(received)))) {
    if (data === '[DONE]') {
      ended = true;
      continue;
    }
    const event: unknown = JSON.parse(data);
    // A stream that has begun says in an event why it stops. It is read to its end all the same: there is its receipt.
    failure ??= refusalIn(event);
    if (failure !== undefined) continue;
    const piece = contentOf(event);
    if (piece === '') continue;
    if (text === '') firstTokenMilliseconds = performance.now() - started;
    text += piece;
    onText(piece);
  }
  if (failure !== undefined) throw failure;
  if (!ended) throw new FastnessError('CLI_REQUEST_REFUSED', 'The answer has no end.');
  return { text, response, requestBody, responseBody: concatBytes(...received), firstTokenMilliseconds };
}

function keepingBytes(kept: Uint8Array[]): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      kept.push(chunk);
      controller.enqueue(chunk);
    },
  });
}

/** The `data:` lines of a server-sent event stream. */
async function* serverSentEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data:')) yield line.slice(5).trim();
  }
}

const chunkSchema = z.object({ choices: z.array(z.object({ delta: z.object({ content: z.string().nullish() }) })) });
const errorSchema = z.object({ error: z.object({ message: z.string(), fastness_code: z.string().optional() }) });

function contentOf(chunk: unknown): string {
  const parsed = chunkSchema.safeParse(chunk);
  if (!parsed.success)
    throw new FastnessError('CLI_REQUEST_REFUSED', 'The stream holds something that is no chat chunk.');
  return parsed.data.choices[0]?.delta.content ?? '';
}

function refusalIn(event: unknown): FastnessError | undefined {
  const { error } = errorSchema.safeParse(event).data ?? {};
  return error === undefined ? undefined : refusedWith(error.message, error.fastness_code);
}

async function asError(response: Response): Promise<FastnessError> {
  const answer = errorSchema.safeParse(await response.json().catch(() => undefined));
  const { message = 'no message', fastness_code } = answer.data?.error ?? {};
  return refusedWith(`${response.status}: ${message}`, fastness_code);
}

function refusedWith(message: string, code: string | undefined): FastnessError {
  return new FastnessError('CLI_REQUEST_REFUSED', code === undefined ? message : `${message} (${code})`);
}
