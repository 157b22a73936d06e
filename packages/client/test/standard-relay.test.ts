import type { IncomingHttpHeaders } from 'node:http';
import { utf8Encode } from '@fastness/codec/bytes';
import { beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../src/index.ts';
import { nginxBinary, startNginx } from './support/nginx.ts';
import { forgeEnclave, now, policyFor, type ForgedEnclave } from './support/scenario.ts';
import { startServer, type ServerOptions } from './support/server.ts';

if (nginxBinary === undefined) {
  process.stderr.write('SKIPPED: a relay that is not ours needs nginx. Next: npm run test:nginx\n');
}

let enclave: ForgedEnclave;

beforeAll(async () => {
  enclave = await forgeEnclave();
});

const url = 'https://enclave.invalid/v1/chat/completions';

async function through(protocol: 'ohttp' | undefined, answer: ServerOptions['answer']) {
  const headers: IncomingHttpHeaders[] = [];
  const server = await startServer({
    enclave,
    answer,
    before: (_path, response) => {
      headers.push(response.req.headers);
      return false;
    },
  });
  const nginx = await startNginx(nginxBinary ?? '', server.url);
  const client = createClient({
    url: nginx.url,
    policy: policyFor({ client: protocol === undefined ? {} : { protocol } }),
    anchors: enclave.anchors,
    now: () => now,
  });
  const stop = async (): Promise<void> => {
    await nginx[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  };
  return { client, server, headers, stop };
}

describe.skipIf(nginxBinary === undefined)('nginx as the relay', () => {
  it.each([
    [undefined, 'message/ohttp-chunked-req'],
    ['ohttp', 'message/ohttp-req'],
  ] as const)('carries protocol %s, large bodies both ways, with a receipt', async (protocol, type) => {
    const part = new Uint8Array(100_000).fill(7);
    const { client, server, headers, stop } = await through(protocol, async ({ body }) => ({
      body: utf8Encode(`${(await new Response(body).bytes()).length} and ${'a'.repeat(200_000)}`),
    }));
    try {
      const response = await client.fetch(url, { method: 'POST', body: part, headers: { 'x-inside': 'hidden' } });
      expect((await response.text()).slice(0, 10)).toBe('100000 and');
      expect((await client.getReceipt(response)).response.status).toBe(200);
      expect(server.log).toEqual(['/attestation', '/ohttp']);
      expect(server.types).toEqual([type]);
      // Nothing of the client but a media type and a length.
      const seen = new Set(headers.flatMap((each) => Object.keys(each)));
      expect([...seen].filter((name) => name !== 'transfer-encoding').sort()).toEqual([
        'connection',
        'content-length',
        'content-type',
        'host',
      ]);
    } finally {
      await stop();
    }
  });

  it('streams chunked answers part by part', async () => {
    const read = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    let part = 0;
    const { client, stop } = await through(undefined, () => ({
      headers: { 'content-type': 'text/event-stream' },
      body: new ReadableStream<Uint8Array>({
        pull: async (controller) => {
          // A part is made only after the one before it was read at the other end.
          await read[part - 1]?.promise;
          if (part === 3) controller.close();
          else controller.enqueue(utf8Encode(`data: ${part}\n\n`));
          part += 1;
        },
      }),
    }));
    try {
      const response = await client.fetch(url, { method: 'POST', body: '{}' });
      const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
      for (const [index, step] of [...read, undefined].entries()) {
        expect(new TextDecoder().decode((await reader.read()).value)).toBe(`data: ${index}\n\n`);
        step?.resolve(undefined);
      }
      expect((await reader.read()).done).toBe(true);
    } finally {
      await stop();
    }
  });
});
