import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { utf8Encode } from '@fastness/codec/bytes';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  actionFor,
  clientPolicySchema,
  createClient,
  fastnessErrorIn,
  verifyReceiptBundle,
  type ReceiptBundle,
} from '../src/index.ts';
import { streamFrom } from '../../channel/test/support/bytes.ts';
import { forgeEnclave, now, policyFor, type ForgedEnclave } from './support/scenario.ts';
import { startServer, type InnerResponse, type ServerOptions, type TestServer } from './support/server.ts';

const words = ['The', ' fortress', ' holds', ' fast', '.'];

let enclave: ForgedEnclave;

beforeAll(async () => {
  enclave = await forgeEnclave();
});

/** The API of the inside, as far as this test goes: chat completions, streamed or not, and the list of models. */
const api: ServerOptions['answer'] = async ({ method, path, body }) => {
  if (method === 'GET' && path === '/v1/models') {
    return json({ object: 'list', data: [{ id: 'acme/model', object: 'model', created: 0, owned_by: 'acme' }] });
  }
  const wanted: unknown = JSON.parse(await new Response(body).text());
  const streamed = typeof wanted === 'object' && wanted !== null && 'stream' in wanted && wanted.stream === true;
  const base = { id: 'c1', created: 0, model: 'acme/model' };
  if (!streamed) {
    const message = { role: 'assistant', content: words.join('') };
    return json({ ...base, object: 'chat.completion', choices: [{ index: 0, finish_reason: 'stop', message }] });
  }
  const events = words.map((content) => ({
    ...base,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { content }, finish_reason: null }],
  }));
  async function* made() {
    for (const event of events) {
      await new Promise((resolve) => {
        setTimeout(resolve, 3);
      });
      yield utf8Encode(`data: ${JSON.stringify(event)}\n\n`);
    }
    yield utf8Encode('data: [DONE]\n\n');
  }
  return { headers: { 'content-type': 'text/event-stream' }, body: streamFrom(made()) };
};

function json(value: unknown): InnerResponse {
  return { headers: { 'content-type': 'application/json' }, body: utf8Encode(JSON.stringify(value)) };
}

async function withOpenAI(
  options: Partial<ServerOptions>,
  work: (parts: { openai: OpenAI; server: TestServer; receipts: ReceiptBundle[] }) => Promise<void>,
): Promise<void> {
  await using server = await startServer({ enclave, answer: api, ...options });
  const receipts: ReceiptBundle[] = [];
  const client = createClient({
    url: server.url,
    policy: policyFor(),
    anchors: enclave.anchors,
    now: () => now,
    onEvent: (event) => {
      if (event.type === 'receipt') receipts.push(event.bundle);
    },
  });
  const openai = new OpenAI({
    apiKey: 'a key',
    baseURL: 'https://enclave.invalid/v1',
    fetch: client.fetch,
    maxRetries: 0,
  });
  await work({ openai, server, receipts });
}

const messages = [{ role: 'user' as const, content: 'Does it hold?' }];

it('has every member of the policy in the page about it', async () => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/client.md'), 'utf8');
  const table = page.slice(page.indexOf('## The policy'), page.indexOf('## More'));
  const named = [...table.matchAll(/^\| `(\w+)`/gmu)].map(([, name]) => name ?? '');
  expect(named.toSorted()).toEqual(Object.keys(clientPolicySchema.shape).toSorted());
});

describe('the API key of a tenant', () => {
  it('replaces what the request carries, inside the channel alone, and is asked for each time', async () => {
    const seen: (string | null)[] = [];
    let asked = 0;
    const answer: ServerOptions['answer'] = (request) => {
      seen.push(request.headers.get('authorization'));
      return json({});
    };
    await using server = await startServer({ enclave, answer });
    const shared = { url: server.url, policy: policyFor(), anchors: enclave.anchors, now: () => now };
    const ask = async (apiKey: string | (() => string)) => {
      const { fetch } = createClient({ ...shared, apiKey });
      const headers = { authorization: 'Bearer of the local client' };
      for (const round of [1, 2]) await (await fetch(`https://enclave.invalid/v1/${round}`, { headers })).text();
    };
    await ask('fsk_plain');
    await ask(() => `fsk_${(asked += 1)}`);
    expect(seen).toEqual(['Bearer fsk_plain', 'Bearer fsk_plain', 'Bearer fsk_1', 'Bearer fsk_2']);
    expect(Buffer.concat(server.bodies).toString('latin1')).not.toContain('fsk_');
    await expect(ask('two words')).rejects.toMatchObject({ code: 'CLIENT_OPTION_INVALID' });
  });
});

describe('the openai package through the channel', () => {
  it('lists models and completes', async () => {
    await withOpenAI({}, async ({ openai, server, receipts }) => {
      const models = await openai.models.list();
      expect(models.data.map(({ id }) => id)).toEqual(['acme/model']);
      const completion = await openai.chat.completions.create({ model: 'acme/model', messages });
      expect(completion.choices[0]?.message.content).toBe('The fortress holds fast.');
      expect(receipts).toHaveLength(2);
      const seen = Buffer.concat(server.bodies).toString('latin1');
      expect(seen).not.toContain('Does it hold');
      expect(seen).not.toContain('a key');
    });
  });

  it('streams, and has a receipt at the end that verifies later', async () => {
    await withOpenAI({}, async ({ openai, receipts }) => {
      const stream = await openai.chat.completions.create({ model: 'acme/model', messages, stream: true });
      let text = '';
      let events = 0;
      for await (const event of stream) {
        events += 1;
        text += event.choices[0]?.delta.content ?? '';
      }
      expect(text).toBe('The fortress holds fast.');
      expect(events).toBe(words.length);
      const [bundle] = receipts;
      const verified = await verifyReceiptBundle({ bundle, policy: policyFor(), anchors: enclave.anchors, now });
      expect(verified.claims.issuedAt).toEqual(now);
    });
  });

  it('throws at the end of a stream whose receipt is missing', async () => {
    await withOpenAI({ trailers: () => ({}) }, async ({ openai }) => {
      const stream = await openai.chat.completions.create({ model: 'acme/model', messages, stream: true });
      const read = async () => {
        for await (const event of stream) expect(event.id).toBe('c1');
      };
      await expect(read()).rejects.toMatchObject({ code: 'CLIENT_RECEIPT_MISSING' });
    });
  });

  it('throws when the enclave is not the one of the policy', async () => {
    const attestation: ServerOptions['attestation'] = (bundle) => ({ ...bundle, nonce: 'A'.repeat(43) });
    await withOpenAI({ attestation }, async ({ openai, server }) => {
      const failure = openai.chat.completions.create({ model: 'acme/model', messages });
      const thrown: unknown = await failure.catch((error: unknown) => error);
      const error = fastnessErrorIn(thrown);
      expect(error?.code).toBe('CLIENT_NONCE_MISMATCH');
      expect(error === undefined ? undefined : actionFor(error)).toBe('do-not-trust');
      expect(fastnessErrorIn(new Error('of somebody else', { cause: new TypeError('x') }))).toBeUndefined();
      expect(server.log).toEqual(['/attestation']);
    });
  });

  it('can be aborted within a stream', async () => {
    async function* endless() {
      for (;;) {
        await new Promise((resolve) => {
          setTimeout(resolve, 2);
        });
        yield utf8Encode(`data: ${JSON.stringify({ id: 'c1', choices: [] })}\n\n`);
      }
    }
    const answer = () => ({ headers: { 'content-type': 'text/event-stream' }, body: streamFrom(endless()) });
    await withOpenAI({ answer }, async ({ openai, receipts }) => {
      const stream = await openai.chat.completions.create({ model: 'acme/model', messages, stream: true });
      let events = 0;
      for await (const event of stream) {
        expect(event.id).toBe('c1');
        events += 1;
        if (events === 5) stream.controller.abort();
      }
      expect(events).toBeGreaterThanOrEqual(5);
      expect(receipts).toEqual([]);
    });
  });
});
