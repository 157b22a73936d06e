import { request } from 'node:http';
import type { FastnessClient } from '@fastness/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { startProxy, type Proxy } from '../src/commands/proxy.ts';

// Web pages that the user of the proxy visits: they can send requests to this machine, and their answers are not what they are after.
const sent: string[] = [];
const answerSchema = z.object({ error: z.object({ code: z.string() }).optional() });
let proxy: Proxy;

beforeAll(async () => {
  // Whatever leaves the proxy is noted.
  const fetch: FastnessClient['fetch'] = (url) => {
    sent.push(url instanceof Request ? url.url : url.toString());
    return Promise.resolve(Response.json({}));
  };
  proxy = await startProxy({ client: { fetch }, listen: 'http://127.0.0.1:0' });
});
afterAll(() => proxy.close());

/** A request with exactly these fields: `fetch` sets those of browsers itself. */
async function ask(
  headers: Record<string, string>,
  method = 'POST',
  asked = proxy,
): Promise<{ status: number; code: string | undefined }> {
  const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const outgoing = request(`${asked.url}/v1/chat/completions`, { method, headers }, (incoming) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
    });
    outgoing.on('error', reject);
    outgoing.end(method === 'POST' ? '{}' : undefined);
  });
  const { error } = answerSchema.parse(JSON.parse(answer.text));
  return { status: answer.status, code: error?.code };
}

it('answers programs, and the tabs that its user opens', async () => {
  sent.length = 0;
  expect(await ask({ 'content-type': 'application/json', 'sec-fetch-mode': 'cors' })).toEqual({
    status: 200,
    code: undefined,
  });
  expect(await ask({ 'sec-fetch-site': 'none' }, 'GET')).toEqual({ status: 200, code: undefined });
  expect(sent).toHaveLength(2);
});

it('sends nothing for pages of other origins, which would spend what the API key pays for', async () => {
  sent.length = 0;
  const refused = { status: 403, code: 'CLI_PROXY_ORIGIN' };
  expect(await ask({ 'content-type': 'text/plain', origin: 'https://evil.example' })).toEqual(refused);
  expect(await ask({ 'content-type': 'text/plain', origin: 'null' })).toEqual(refused);
  expect(await ask({ origin: 'http://127.0.0.1:3000' })).toEqual(refused);
  for (const site of ['cross-site', 'same-site', 'same-origin'])
    expect(await ask({ 'sec-fetch-site': site }, 'GET')).toEqual(refused);
  expect(sent).toEqual([]);
});

it('sends nothing under a name that somebody else gave this machine', async () => {
  sent.length = 0;
  const { port } = new URL(proxy.url);
  expect((await ask({ host: `rebound.evil.example:${port}` })).code).toBe('CLI_PROXY_ORIGIN');
  expect(sent).toEqual([]);
});

it('answers other machines, where it was told to, under its addresses and no other name', async () => {
  const client = { fetch: () => Promise.resolve(Response.json({})) };
  const remote = await startProxy({ client, listen: 'http://0.0.0.0:0', allowRemote: true });
  try {
    for (const host of ['192.0.2.7:8080', '[2001:db8::7]:8080', 'localhost'])
      expect(await ask({ host }, 'POST', remote)).toEqual({ status: 200, code: undefined });
    expect((await ask({ host: 'rebound.evil.example' }, 'POST', remote)).code).toBe('CLI_PROXY_ORIGIN');
  } finally {
    await remote.close();
  }
  expect((await ask({ host: '192.0.2.7:8080' })).code).toBe('CLI_PROXY_ORIGIN');
});
