import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasModels, heldOut, triageFile } from './models.ts';
import { connect, start, type Started } from './running.ts';
import { createWorld, type World } from './world.ts';

/** What a relay sees of one exchange: bytes of the request, and the length of every sealed chunk of the answer. */
interface Seen {
  readonly request: number;
  readonly chunks: readonly number[];
}

/** A relay that only listens. */
async function listeningRelay(upstream: string): Promise<{ url: string; seen: Seen[]; server: Server }> {
  const seen: Seen[] = [];
  const server = createServer((incoming, outgoing) => {
    const answer: Buffer[] = [];
    let request = 0;
    const forwarded = httpRequest(new URL(incoming.url ?? '/', upstream), {
      method: incoming.method,
      headers: incoming.headers,
    });
    incoming.on('data', (bytes: Buffer) => (request += bytes.length));
    incoming.pipe(forwarded);
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) forwarded.destroy();
    });
    forwarded.once('error', () => outgoing.destroy());
    forwarded.once('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 0, response.headers);
      response.on('data', (bytes: Buffer) => answer.push(bytes));
      response.once('end', () => {
        if (incoming.url === '/ohttp') seen.push({ request, chunks: chunkLengths(Buffer.concat(answer)) });
      });
      response.pipe(outgoing);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, server };
}

/** Lengths of the chunks of a chunked OHTTP response, which stand in the clear. */
function chunkLengths(body: Buffer): number[] {
  const lengths: number[] = [];
  for (let offset = 32; offset < body.length;) {
    const bytes = 1 << ((body[offset] ?? 0) >> 6);
    let length = (body[offset] ?? 0) & 0x3f;
    for (let index = 1; index < bytes; index += 1) length = length * 256 + (body[offset + index] ?? 0);
    if (length === 0) length = body.length - offset - bytes;
    lengths.push(length);
    offset += bytes + length;
  }
  return lengths;
}

describe.skipIf(!hasModels)('an enclave whose release demands strict traffic', { timeout: 120_000 }, () => {
  let world: World;
  let enclave: Started;
  let relay: Awaited<ReturnType<typeof listeningRelay>>;
  let channel: Awaited<ReturnType<typeof connect>>;
  beforeAll(async () => {
    world = await createWorld({ source: triageFile, engine: 'llama', task: 'generate', traffic: 'strict' });
    await world.startBroker();
    await world.register();
    enclave = await start(world.config({ traffic: { profile: 'off' } }));
    await enclave.until('serving');
    relay = await listeningRelay(enclave.url);
    channel = await connect(relay.url, world);
  });
  afterAll(async () => {
    relay.server.closeAllConnections();
    relay.server.close();
    await enclave.close();
    await world[Symbol.asyncDispose]();
  });

  const ask = async (body: object, signal?: AbortSignal): Promise<Response> =>
    channel.fetch('https://enclave.invalid/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'triage', temperature: 0, ...body }),
      ...(signal === undefined ? {} : { signal }),
    });
  const messages = (content: string) => [{ role: 'user', content }];

  it('has it, whatever its configuration says', () => {
    expect(enclave.events.find(({ event }) => event === 'traffic')).toMatchObject({
      profile: 'strict',
      frameBytes: 512,
      frameMs: 50,
    });
  });

  it('sends streams that differ in nothing but what was allowed: other answers, one word, a single token', async () => {
    relay.seen.length = 0;
    const texts: string[] = [];
    for (const body of [
      { messages: messages(heldOut(0).note), max_tokens: 64 },
      { messages: messages('hello'), max_tokens: 60 },
      { messages: messages(heldOut(1).note), max_tokens: 1 },
      { messages: messages(heldOut(2).note), max_tokens: 64, stream_options: { include_usage: true } },
      { messages: messages('hello'), max_completion_tokens: 65 },
      { messages: messages('hello') },
    ]) {
      texts.push(await (await ask({ ...body, stream: true })).text());
    }
    expect(texts.every((text) => text.includes('data: [DONE]'))).toBe(true);
    await expect.poll(() => relay.seen.length, { timeout: 60_000 }).toBe(texts.length);
    const [first] = relay.seen;
    // Head with the first frame, frames, the last frame with what follows it: and so often, by how busy this machine is.
    const [head, frame, ...rest] = first?.chunks ?? [];
    const least = [8, 8, 8, 8, 16, 32];
    for (const [index, { chunks }] of relay.seen.entries()) {
      const frames = (texts[index]?.length ?? 0) / 512;
      expect(frames).toBeGreaterThanOrEqual(least[index] ?? Infinity);
      expect(Number.isInteger(Math.log2(frames))).toBe(true);
      const tail = chunks.slice(frames);
      expect(chunks).toEqual([head, ...Array.from({ length: frames - 1 }, () => frame), ...tail]);
      expect(tail).toEqual(rest.slice((texts[0]?.length ?? 0) / 512 - 2));
    }
  });

  it('sends whole answers and refusals of one size', async () => {
    relay.seen.length = 0;
    const statuses: number[] = [];
    for (const body of [
      { messages: messages(heldOut(0).note) },
      { messages: messages('x'), n: 3 },
      { messages: messages('cough '.repeat(1000)) },
    ]) {
      const response = await ask(body);
      statuses.push(response.status);
      expect(JSON.parse(await response.text())).toBeTypeOf('object');
    }
    expect(statuses).toEqual([200, 400, 400]);
    await expect.poll(() => relay.seen.length, { timeout: 60_000 }).toBe(3);
    expect(new Set(relay.seen.map(({ chunks }) => JSON.stringify(chunks)))).toHaveLength(1);
  });

  it('stops working when its reader goes away in the middle', async () => {
    for (let round = 0; round < 4; round += 1) {
      const gone = new AbortController();
      const response = await ask({ messages: messages(heldOut(round).note), stream: true }, gone.signal);
      await response.body?.getReader().read();
      gone.abort();
    }
    const answer = await ask({ messages: messages(heldOut(0).note), max_tokens: 1 });
    expect(answer.status).toBe(200);
    await answer.text();
  });
});
