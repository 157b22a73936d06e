import type { Conversation, ReceiptBundle, VerifiedEnclave } from '@fastness/client/portable';
import { FastnessError, isErrorCode } from '@fastness/codec/errors';
import { z } from 'zod';

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** One answered request: what went in and came out, and the verified receipt over both. */
export interface Answer {
  readonly text: string;
  readonly request: string;
  readonly response: string;
  readonly receipt: ReceiptBundle;
}

type Task = VerifiedEnclave['release']['manifest']['task'];

const paths: Readonly<Record<Task, string>> = Object.freeze({
  generate: '/v1/chat/completions',
  classify: '/v1/classifications',
  embed: '/v1/embeddings',
});

/**
 * Sends what was typed through the channel. `onText` gets an answer while it streams; until the promise settles, none of it
 * is proved.
 */
export async function ask(
  client: Conversation,
  options: {
    readonly enclave: VerifiedEnclave;
    readonly messages: readonly Message[];
    readonly signal: AbortSignal;
    readonly onText: (text: string) => void;
  },
): Promise<Answer> {
  const { release, manifest } = options.enclave.release;
  const { messages, signal, onText } = options;
  const input = messages.at(-1)?.content ?? '';
  const model = release.modelId;
  const generates = manifest.task === 'generate';
  const request = JSON.stringify(generates ? { model, messages, stream: true } : { model, input });
  // The host is never contacted: the client maps the path onto the channel.
  const response = await client.fetch(`https://enclave.invalid${paths[manifest.task]}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: request,
    signal,
  });
  const streams = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  let text = '';
  let received = '';
  let rest = '';
  let ended = false;
  let failure: FastnessError | undefined;
  for await (const part of decoded(response)) {
    received += part;
    if (!streams) continue;
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const data of lines.map(dataOf)) {
      if (data === '[DONE]') ended = true;
      else if (data !== undefined) text += contentOf(data, (error) => (failure ??= error));
    }
    onText(text);
  }
  if (!response.ok) throw refusalOf(response.status, received);
  // The receipt proves that this is all the enclave sent, not that it came to an end.
  if (failure !== undefined) throw failure;
  if (streams && !ended) throw new FastnessError('CLIENT_ANSWER_UNFINISHED');
  if (!streams) text = received.trim();
  return { text, request, response: received, receipt: await client.getReceipt(response) };
}

async function* decoded(response: Response): AsyncGenerator<string> {
  if (response.body === null) return;
  // Byte for byte, so that the digest of what is saved is that of the receipt.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    yield decoder.decode(part.value, { stream: true });
  }
  yield decoder.decode();
}

const chunkSchema = z.object({ choices: z.array(z.object({ delta: z.object({ content: z.string().nullish() }) })) });
const errorSchema = z.object({ error: z.object({ message: z.string(), fastness_code: z.unknown() }) });

/** What a line of an event stream carries; undefined for lines of another kind. */
function dataOf(line: string): string | undefined {
  return /^data: ?(.*?)\r?$/.exec(line)?.[1];
}

/** The text in an event. What an event says went wrong goes to `onFailure`: the stream is read to its end all the same. */
function contentOf(data: string, onFailure: (error: FastnessError) => void): string {
  const event = jsonOf(data);
  if (errorSchema.safeParse(event).success) onFailure(refusalOf(200, data));
  return chunkSchema.safeParse(event).data?.choices[0]?.delta.content ?? '';
}

/** What the enclave refused a request with, by its own code where this page knows it: that says what to do. */
function refusalOf(status: number, body: string): FastnessError {
  const { error } = errorSchema.safeParse(jsonOf(body)).data ?? {};
  return isErrorCode(error?.fastness_code)
    ? new FastnessError(error.fastness_code)
    : new FastnessError('CLIENT_REQUEST_REFUSED', `${status}: ${error?.message ?? 'no message'}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
