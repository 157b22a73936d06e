import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import type { Conversation, FastnessClient } from '@fastness/client';
import { FastnessError } from '@fastness/codec/errors';
import { ask, type ChatMessage } from '../support/ask.ts';
import { clientForHome, type ClientOptions } from '../support/client.ts';
import { action } from '../support/command.ts';
import { formatSeconds } from '../support/format.ts';
import type { Context } from '../support/run.ts';
import { saveReceipt } from '../support/receipts.ts';
import { printVerifiedEnclave } from '../support/verdict.ts';

interface ChatOptions extends ClientOptions {
  readonly keep?: boolean;
}

const inputLimitBytes = 1024 * 1024;

export function chatCommand(): Command {
  return new Command('chat')
    .description(
      'verify the enclave, then ask it what comes on standard input: all of it, or line by line on a terminal',
    )
    .option(
      '--keep',
      'keep request and response beside the receipt, in clear, so that `fastness verify` can compare them',
    )
    .option('--url <url>', "the relay or the enclave (default: the home's relayUrl)")
    .option('--policy <file>', "what this client accepts (default: the home's policy/client.json)")
    .option('--api-key-file <file>', 'the API key that the owner of the model gave you; sent inside the channel only')
    .action(
      action<ChatOptions>(async (context, options) => {
        const client = await clientForHome(context.home, options);
        printVerifiedEnclave(context.output, await client.verify());
        const keep = options.keep ?? false;
        if (process.stdin.isTTY) await converse(context, client, keep);
        else await askOnce(context, client, await readInput(), keep);
      }),
    );
}

/** One question, its streamed answer and its verified receipt, which is saved in the home. */
export async function askOnce(context: Context, client: FastnessClient, message: string, keep = false): Promise<void> {
  await answer(context, client, [{ role: 'user', content: message }], keep);
}

async function converse(context: Context, client: FastnessClient, keep: boolean): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' });
  const conversation = client.conversation();
  const messages: ChatMessage[] = [];
  const close = (): void => lines.close();
  context.signal.addEventListener('abort', close, { once: true });
  lines.prompt();
  for await (const line of lines) {
    if (line.trim() !== '') {
      messages.push({ role: 'user', content: line });
      messages.push({ role: 'assistant', content: await answer(context, client, messages, keep, conversation) });
    }
    lines.prompt();
  }
}

async function answer(
  context: Context,
  client: FastnessClient,
  messages: readonly ChatMessage[],
  keep: boolean,
  through: Conversation = client.conversation(),
): Promise<string> {
  const { output, signal } = context;
  const { release } = (await client.verify()).release;
  output.text(`\n  > ${messages.at(-1)?.content ?? ''}\n  < `);
  const result = await ask(through, { model: release.modelId, messages, signal, onText: (text) => output.text(text) });
  output.text('\n\n');
  const saved = await saveReceipt(context.home, client, result, keep);
  output.step(
    'answered',
    `Answer and receipt verified (first token after ${formatSeconds(result.firstTokenMilliseconds)}): ${saved.path}`,
    {
      text: result.text,
      receipt: saved.path,
      requestDigest: saved.bundle.request.digest,
      responseDigest: saved.bundle.response.digest,
    },
  );
  output.detail('signed by the key in the evidence, over the digests of request, response, release and evidence');
  return result.text;
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > inputLimitBytes) throw new FastnessError('CLI_USAGE', `The message is over ${inputLimitBytes} bytes.`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8').trim();
  if (text === '') throw new FastnessError('CLI_USAGE', 'There is no message on standard input.');
  return text;
}
