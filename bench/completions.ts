import { median } from './support.ts';

/** A way to the model: through the channel, or plain through the same relay. */
export type Send = (path: string, body: string) => Promise<Response>;

/** What the reader of one streamed answer saw; times in milliseconds since the request was sent. */
export interface Answer {
  readonly text: string;
  /** As the answer itself states it. */
  readonly tokens: number;
  readonly firstTokenMs: number;
  /** When the last text was there, and how many characters came after the first. */
  readonly lastTextMs: number;
  readonly laterCharacters: number;
  /** When the body had closed, which with the channel includes the receipt. */
  readonly wholeMs: number;
  /** Of the body, as it is before it is sealed. */
  readonly bodyBytes: number;
}

/** Carries a request to bench/plain-server.ts through a relay, which sees one path and one media type. */
export function plainSend(relayUrl: string): Send {
  return async (path, body) =>
    fetch(`${relayUrl}/ohttp`, {
      method: 'POST',
      headers: { 'content-type': 'message/ohttp-chunked-req' },
      body: `${path}\n${body}`,
    });
}

/** `fetch` is a Fastness client's, which verifies, seals, and checks the receipt. */
export function sealedSend(fetch: typeof globalThis.fetch): Send {
  return async (path, body) =>
    fetch(new URL(path, 'https://enclave.invalid'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
}

interface Event {
  /** What went wrong after the answer had begun. */
  readonly error?: { readonly message: string; readonly code?: string | null };
  readonly choices: readonly { readonly text?: string; readonly delta?: { readonly content?: string } }[];
  readonly usage?: { readonly completion_tokens: number } | null;
}

/** Asks for a stream, greedy, and reads it to its end. */
export async function ask(send: Send, path: string, question: object): Promise<Answer> {
  const sent = performance.now();
  const response = await send(
    path,
    JSON.stringify({ ...question, temperature: 0, stream: true, stream_options: { include_usage: true } }),
  );
  if (!response.ok || response.body === null) throw new Error(`${response.status}: ${await response.text()}`);
  const decoder = new TextDecoder();
  let text = '';
  let tokens = 0;
  let firstTokenMs: number | undefined;
  let lastTextMs = 0;
  let laterCharacters = 0;
  let firstRead = 0;
  let reads = 0;
  let rest = '';
  let bodyBytes = 0;
  for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
    reads += 1;
    bodyBytes += bytes.length;
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue;
      const { error, choices, usage } = JSON.parse(line.slice(6)) as Event;
      if (error !== undefined) throw new Error(`${error.code ?? 'error'}: ${error.message}`);
      const piece = choices[0]?.text ?? choices[0]?.delta?.content ?? '';
      if (piece !== '') {
        lastTextMs = performance.now() - sent;
        firstTokenMs ??= lastTextMs;
        // What comes in one piece with the first text was made before it.
        if (firstRead === 0) firstRead = reads;
        else if (reads !== firstRead) laterCharacters += piece.length;
      }
      text += piece;
      tokens = usage?.completion_tokens ?? tokens;
    }
  }
  if (firstTokenMs === undefined || tokens === 0) throw new Error('The answer is empty.');
  return { text, tokens, firstTokenMs, lastTextMs, laterCharacters, wholeMs: performance.now() - sent, bodyBytes };
}

/** What the readers of answers that were asked for together saw. */
export interface Sample {
  /** From the first text of any stream to the last of any: what streaming is about. */
  readonly streaming: number;
  /** From sending to the last text: time to the first token included. */
  readonly overall: number;
  readonly firstTokenMs: number;
  /** From the last text to the end of the body, when the answer is proved. */
  readonly provedMs: number;
}

export function sampleOf(answers: readonly Answer[]): Sample {
  const first = Math.min(...answers.map(({ firstTokenMs }) => firstTokenMs));
  const last = Math.max(...answers.map(({ lastTextMs }) => lastTextMs));
  const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
  const later = answers.reduce((sum, { tokens: made, laterCharacters, text }) => {
    return sum + (made * laterCharacters) / text.length;
  }, 0);
  return {
    streaming: later / ((last - first) / 1e3),
    overall: tokens / (last / 1e3),
    firstTokenMs: median(answers.map(({ firstTokenMs }) => firstTokenMs)),
    provedMs: median(answers.map(({ wholeMs, lastTextMs }) => wholeMs - lastTextMs)),
  };
}
