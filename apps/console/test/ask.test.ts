import { createClient, type Conversation, type VerifiedEnclave } from '@fastness/client';
import { utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { beforeAll, describe, expect, it } from 'vitest';
import { forgeEnclave, now, policyFor, type ForgedEnclave } from '../../../packages/client/test/support/scenario.ts';
import { startServer } from '../../../packages/client/test/support/server.ts';
import { ask as askInTerminal } from '../../cli/src/support/ask.ts';
import { ask as askInPage } from '../src/ask.ts';

type Ask = (conversation: Conversation, enclave: VerifiedEnclave, onText: (text: string) => void) => Promise<string>;

const messages = [{ role: 'user', content: 'Does it hold?' }] as const;
const { signal } = new AbortController();
const askers: Readonly<Record<string, Ask>> = {
  page: async (conversation, enclave, onText) =>
    (await askInPage(conversation, { enclave, messages, signal, onText })).text,
  terminal: async (conversation, enclave, onText) =>
    (await askInTerminal(conversation, { model: enclave.release.release.modelId, messages, signal, onText })).text,
};

const said = (content: string): string => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const failed = (error: object): string => `data: ${JSON.stringify({ error })}\n\n`;
const busy = { message: 'No more.', type: 'server_error', param: null, code: 'x', fastness_code: 'ENCLAVE_LEASE_LOST' };

// A stream in shape ends like any other, with a receipt over what was sent: that it failed is said inside.
describe.each(Object.entries(askers))('an answer in the %s', (_, ask) => {
  let enclave: ForgedEnclave;
  beforeAll(async () => {
    enclave = await forgeEnclave();
  });

  it.each<[string, string[], RegExp]>([
    ['says why it stops', [said('Half'), failed(busy), ':\n\n'], /LEASE_LOST|lease/u],
    ['says why nothing came', [failed(busy)], /LEASE_LOST|lease/u],
    ['just stops', [said('Half')], /no end|before its end/u],
  ])('that %s is no answer, and the next one is', async (_name, events, why) => {
    const streams = [events.join(''), `${said('The ')}${said('end.')}data: [DONE]\n\n`];
    await using server = await startServer({
      enclave,
      answer: () => ({
        headers: { 'content-type': 'text/event-stream' },
        body: utf8Encode(streams.shift() ?? ''),
      }),
    });
    const client = createClient({ url: server.url, policy: policyFor(), anchors: enclave.anchors, now: () => now });
    const verified = await client.verify();
    const conversation = client.conversation();
    const refusal: unknown = await ask(conversation, verified, () => undefined).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(FastnessError);
    expect(String(refusal)).toMatch(why);
    // It was read to its end, so that the conversation goes on.
    expect(await ask(conversation, verified, () => undefined)).toBe('The end.');
    expect(conversation.receipts()).toHaveLength(2);
  });
});
