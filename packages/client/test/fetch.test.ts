import { inspect } from 'node:util';
import { createReceiptIssuer } from '@fastness/channel';
import { fromBase64Url, toBase64Url, toHex, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { releaseDigestOf } from '@fastness/model/release';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { actionFor, createClient, type ClientEvent, type ClientOptions } from '../src/index.ts';
import { streamFrom } from '../../channel/test/support/bytes.ts';
import { expectCode, failureOf } from '../../channel/test/support/errors.ts';
import { forgeEnclave, now, packageOf, policyFor, type ForgedEnclave } from './support/scenario.ts';
import { startServer, type ServerOptions, type TestServer } from './support/server.ts';

let enclave: ForgedEnclave;

beforeAll(async () => {
  enclave = await forgeEnclave();
});

const url = 'https://enclave.invalid/v1/chat/completions';
const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"prompt":"secret words"}' };

/** Echoes what it got as JSON. */
const echo: ServerOptions['answer'] = async ({ method, path, headers, body }) => ({
  headers: { 'content-type': 'application/json' },
  body: utf8Encode(
    JSON.stringify({
      method,
      path,
      headers: Object.fromEntries([...headers].filter(([name]) => name !== 'fastness-evidence')),
      body: await new Response(body).text(),
    }),
  ),
});

async function start(options: Partial<ServerOptions> & { client?: Partial<ClientOptions> } = {}) {
  const { client: clientOptions, ...serverOptions } = options;
  const server = await startServer({ enclave, answer: echo, ...serverOptions });
  const events: ClientEvent[] = [];
  const client = createClient({
    url: server.url,
    policy: policyFor(),
    anchors: (options.enclave ?? enclave).anchors,
    now: () => now,
    onEvent: (event) => events.push(event),
    ...clientOptions,
  });
  return { server, client, events };
}

async function withServer(
  options: Parameters<typeof start>[0],
  work: (parts: Awaited<ReturnType<typeof start>>) => Promise<void>,
): Promise<void> {
  const parts = await start(options);
  try {
    await work(parts);
  } finally {
    await parts.server[Symbol.asyncDispose]();
  }
}

function contains(server: TestServer, text: string): boolean {
  return server.bodies.some((body) => Buffer.from(body).includes(text));
}

describe('fetch through the channel', () => {
  it('verifies first, then carries request and response, and proves them', async () => {
    await withServer({}, async ({ server, client, events }) => {
      const response = await client.fetch(`${url}?a=b`, post);
      expect(server.log).toEqual(['/attestation', '/ohttp']);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({
        method: 'POST',
        path: '/v1/chat/completions?a=b',
        headers: { 'content-type': 'application/json' },
        body: post.body,
      });
      const bundle = await client.getReceipt(response);
      expect(bundle.request).toMatchObject({ method: 'POST', path: '/v1/chat/completions?a=b' });
      expect(events.map(({ type }) => type)).toEqual(['verified', 'sent', 'receipt']);
      expect(contains(server, 'secret words')).toBe(false);
      expect(server.bodies).toHaveLength(1);
    });
  });

  it('takes every kind of body that fetch takes', async () => {
    const form = new FormData();
    form.set('field', 'in a form');
    const bodies: [NonNullable<RequestInit['body']>, string][] = [
      ['text', 'text'],
      [utf8Encode('bytes'), 'bytes'],
      [utf8Encode('buffer').buffer, 'buffer'],
      [new Blob(['blob']), 'blob'],
      [new URLSearchParams({ a: 'b c' }), 'a=b+c'],
      [form, 'in a form'],
      [streamFrom([utf8Encode('str'), utf8Encode('eam')]), 'stream'],
    ];
    await withServer({}, async ({ client }) => {
      for (const [body, expected] of bodies) {
        const init: RequestInit & { duplex?: 'half' } = { method: 'POST', body, duplex: 'half' };
        const response = await client.fetch(url, init);
        const echoed: unknown = await response.json();
        expect(JSON.stringify(echoed)).toContain(expected);
        await client.getReceipt(response);
      }
      const request = new Request(url, { method: 'PUT', body: 'in a Request', headers: { 'x-a': '1' } });
      expect(await (await client.fetch(request)).json()).toMatchObject({ method: 'PUT', body: 'in a Request' });
    });
  });

  it('hands the status and fields of an error on, with its receipt', async () => {
    const answer = () => ({ status: 429, headers: { 'retry-after': '3' }, body: utf8Encode('slow down') });
    await withServer({ answer }, async ({ client }) => {
      const response = await client.fetch(url, post);
      expect(response.status).toBe(429);
      expect(response.headers.get('retry-after')).toBe('3');
      expect(await response.text()).toBe('slow down');
      expect((await client.getReceipt(response)).response.status).toBe(429);
    });
  });

  it('proves a response without a body before it returns it', async () => {
    await withServer({ answer: () => ({ status: 204 }) }, async ({ client }) => {
      const response = await client.fetch(url, { method: 'DELETE' });
      expect(response.body).toBeNull();
      expect((await client.getReceipt(response)).response.status).toBe(204);
    });
  });

  it('streams: an event arrives before the next one was made', async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    await withServer({ answer: () => ({ body: readable }) }, async ({ client }) => {
      const response = await client.fetch(url, post);
      const reader = response.body?.getReader();
      void writer.write(utf8Encode('one'));
      expect(utf8Decode((await reader?.read())?.value ?? new Uint8Array(0))).toBe('one');
      void writer.write(utf8Encode('two'));
      expect(utf8Decode((await reader?.read())?.value ?? new Uint8Array(0))).toBe('two');
      void writer.close();
      expect((await reader?.read())?.done).toBe(true);
    });
  });

  it('pads what it sends: prompts of different length look alike', async () => {
    await withServer({}, async ({ server, client }) => {
      for (const length of [1, 50, 90]) {
        const response = await client.fetch(url, { ...post, body: 'x'.repeat(length) });
        await response.text();
      }
      expect(new Set(server.bodies.map(({ length }) => length)).size).toBe(1);
    });
  });
});

describe('the session', () => {
  it('verifies once for many requests, also at once', async () => {
    await withServer({}, async ({ server, client }) => {
      const responses = await Promise.all(Array.from({ length: 5 }, () => client.fetch(url, post)));
      for (const response of responses) await response.text();
      expect(server.log.filter((path) => path === '/attestation')).toHaveLength(1);
    });
  });

  it('verifies again after its time, and after the clock went back', async () => {
    let time = now.getTime();
    const client = { now: () => new Date(time), sessionSeconds: 60 };
    await withServer({ client }, async ({ server, client: tested }) => {
      const attestations = () => server.log.filter((path) => path === '/attestation').length;
      for (const [step, expected] of [
        [0, 1],
        [59_999, 1],
        [1, 2],
        [-1, 3],
      ] as const) {
        time += step;
        await (await tested.fetch(url, post)).text();
        expect(attestations()).toBe(expected);
      }
    });
  });

  it('verifies again, once and by itself, when the enclave changed its keys', async () => {
    const own = await forgeEnclave();
    await withServer({ enclave: own }, async ({ server, client, events }) => {
      await (await client.fetch(url, post)).text();
      await own.rotate();
      expect(await (await client.fetch(url, post)).json()).toMatchObject({ body: post.body });
      expect(server.log).toEqual(['/attestation', '/ohttp', '/ohttp', '/attestation', '/ohttp']);
      expect(events.filter(({ type }) => type === 'keys-changed')).toHaveLength(1);
    });
  });

  it('does not send again when a relay only claims that the keys changed', async () => {
    let requests = 0;
    const before: ServerOptions['before'] = (path, response) => {
      if (path !== '/ohttp') return false;
      requests += 1;
      response.writeHead(409, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify(new FastnessError('CHANNEL_KEY_UNKNOWN').toProblem()));
      return true;
    };
    await withServer({ before }, async ({ client }) => {
      await expectCode(() => client.fetch(url, post), 'CHANNEL_KEY_UNKNOWN');
      expect(requests).toBe(1);
    });
  });

  it('does not send a stream a second time', async () => {
    const own = await forgeEnclave();
    await withServer({ enclave: own }, async ({ client }) => {
      await client.verify();
      await own.rotate();
      const init = { method: 'POST', body: streamFrom([utf8Encode('x')]), duplex: 'half' };
      const failure = await failureOf(() => client.fetch(url, init));
      expect(failure.code).toBe('CHANNEL_KEY_UNKNOWN');
      expect(actionFor(failure)).toBe('send-again');
    });
  });

  it('never goes back to an older release', async () => {
    const newer = await forgeEnclave({ release: packageOf({ version: 9 }) });
    let serve = newer;
    const older = await forgeEnclave({ release: packageOf({ version: 8 }) });
    const anchors = { snp: [...newer.anchors.snp, ...older.anchors.snp] };
    const proxy: ForgedEnclave = { ...newer, attest: (nonce) => serve.attest(nonce) };
    await withServer({ enclave: proxy, client: { anchors } }, async ({ client }) => {
      expect((await client.verify()).release.release.version).toBe(9);
      serve = older;
      await expectCode(() => client.verify(), 'RELEASE_VERSION_ROLLBACK');
    });
  });
});

describe('nothing is sent', () => {
  it.each([
    ['http://enclave.invalid/v1/models', 'CLIENT_URL_REFUSED'],
    ['https://enclave.invalid/v2/models', 'CLIENT_URL_REFUSED'],
    ['https://enclave.invalid/v1', 'CLIENT_URL_REFUSED'],
    ['https://enclave.invalid/', 'CLIENT_URL_REFUSED'],
    ['/v1/models', 'CLIENT_REQUEST_INVALID'],
  ])('to %s', async (address, code) => {
    await withServer({}, async ({ server, client }) => {
      await expectCode(() => client.fetch(address), code);
      expect(server.log).toEqual([]);
    });
  });

  it('before the enclave was verified', async () => {
    const attestation: ServerOptions['attestation'] = (bundle) => ({
      ...bundle,
      receiptKey: toBase64Url(new Uint8Array(32)),
    });
    await withServer({ attestation }, async ({ server, client }) => {
      const failure = await failureOf(() => client.fetch(url, post));
      expect(failure.code).toBe('SNP_REPORT_DATA_MISMATCH');
      await expectCode(() => client.fetch(url, post), 'SNP_REPORT_DATA_MISMATCH');
      expect(server.log).toEqual(['/attestation', '/attestation']);
    });
  });

  it('under a policy that the enclave does not meet', async () => {
    const client = { policy: policyFor({ client: { model: 'acme/other' } }) };
    await withServer({ client }, async ({ server, client: tested }) => {
      const failure = await failureOf(() => tested.fetch(url, post));
      expect(failure.code).toBe('CLIENT_MODEL_MISMATCH');
      expect(actionFor(failure)).toBe('review-policy');
      expect(server.log).toEqual(['/attestation']);
    });
  });

  it('after an abort', async () => {
    await withServer({}, async ({ server, client }) => {
      await expect(client.fetch(url, { ...post, signal: AbortSignal.abort() })).rejects.toMatchObject({
        name: 'AbortError',
      });
      expect(server.log).toEqual([]);
    });
  });
});

describe('what stands in between', () => {
  it('cannot be reached', async () => {
    const { server, client } = await start();
    await server[Symbol.asyncDispose]();
    const failure = await failureOf(() => client.fetch(url, post));
    expect(failure.code).toBe('CLIENT_UNREACHABLE');
    expect(actionFor(failure)).toBe('try-later');
  });

  it.each([
    [
      'a problem of the relay',
      503,
      'application/problem+json',
      new FastnessError('CHANNEL_REPLAY_CACHE_FULL').toProblem(),
      'CHANNEL_REPLAY_CACHE_FULL',
    ],
    [
      'a problem of no business of its own',
      422,
      'application/problem+json',
      new FastnessError('CLIENT_NONCE_MISMATCH').toProblem(),
      'CLIENT_REFUSED',
    ],
    ['a page', 502, 'text/html', '<html>', 'CLIENT_REFUSED'],
    ['success of another type', 200, 'text/html', '<html>', 'CLIENT_RESPONSE_TYPE'],
  ])('answers with %s', async (_, status, type, content, code) => {
    const before: ServerOptions['before'] = (path, response) => {
      if (path !== '/ohttp') return false;
      response.writeHead(status, { 'content-type': type });
      response.end(typeof content === 'string' ? content : JSON.stringify(content));
      return true;
    };
    await withServer({ before }, async ({ client }) => {
      await expectCode(() => client.fetch(url, post), code);
    });
  });

  it('cannot redirect', async () => {
    const before: ServerOptions['before'] = (_, response) => {
      response.writeHead(307, { location: 'http://127.0.0.1:9/' });
      response.end();
      return true;
    };
    await withServer({ before }, async ({ client }) => {
      await expectCode(() => client.verify(), 'CLIENT_UNREACHABLE');
    });
  });

  it('cannot flood the client with an attestation', async () => {
    const attestation = () => 'x'.repeat(9 * 2 ** 20);
    await withServer({ attestation }, async ({ client }) => {
      await expectCode(() => client.verify(), 'CHANNEL_WIRE_TOO_LARGE');
    });
  });

  it('cannot shorten a response', async () => {
    const outer: ServerOptions['outer'] = (sealed) => {
      const reader = sealed.getReader();
      return new ReadableStream<Uint8Array>({
        pull: async (controller) => {
          const first = await reader.read();
          if (first.value !== undefined) controller.enqueue(first.value);
          controller.close();
          await reader.cancel();
        },
      });
    };
    const answer = () => ({ body: streamFrom(Array.from({ length: 20 }, () => new Uint8Array(10_000))) });
    await withServer({ outer, answer }, async ({ client }) => {
      const response = await client.fetch(url, post);
      await expectCode(() => response.arrayBuffer(), 'CHANNEL_TRUNCATED');
      await expectCode(() => client.getReceipt(response), 'CHANNEL_TRUNCATED');
    });
  });
});

describe('the body of a response fails at its end', () => {
  const withReceipt =
    (change: (receipt: Uint8Array) => string): NonNullable<ServerOptions['trailers']> =>
    (honest) => {
      const receipt = new Headers(honest).get('fastness-receipt') ?? '';
      return { 'fastness-receipt': change(fromBase64Url(receipt)) };
    };

  it.each([
    ['without a receipt', () => ({}), 'CLIENT_RECEIPT_MISSING'],
    ['with a receipt that is no base64url', withReceipt(() => 'a='), 'CLIENT_RECEIPT_INVALID'],
    [
      'with a receipt that was changed',
      withReceipt((bytes) => toBase64Url(bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte)))),
      'CLIENT_RECEIPT_INVALID',
    ],
  ] as const)('%s', async (_, trailers, code) => {
    await withServer({ trailers }, async ({ client }) => {
      const response = await client.fetch(url, post);
      const failure = await failureOf(() => response.text());
      expect(failure.code).toBe(code);
      expect(actionFor(failure)).toBe('do-not-trust');
      await expectCode(() => client.getReceipt(response), code);
    });
  });

  it.each([
    ['requestDigest', 'CLIENT_RECEIPT_REQUEST'],
    ['responseDigest', 'CLIENT_RECEIPT_RESPONSE'],
    ['evidenceDigest', 'CLIENT_RECEIPT_EVIDENCE'],
  ] as const)('with a receipt over another %s', async (field, code) => {
    const own = await forgeEnclave();
    const { receipts } = own.generation;
    const issue: typeof receipts.issue = (facts) => receipts.issue({ ...facts, [field]: new Uint8Array(32) });
    own.generation = {
      ...own.generation,
      receipts: {
        issue,
        trailersFor: (opened) => async (end) => {
          const evidenceDigest = fromBase64Url(opened.request.headers.get('fastness-evidence') ?? '');
          const receipt = await issue({ ...end, requestDigest: await opened.requestDigest, evidenceDigest });
          return { 'fastness-receipt': toBase64Url(receipt) };
        },
      },
    };
    await withServer({ enclave: own }, async ({ client }) => {
      const response = await client.fetch(url, post);
      await expectCode(() => response.text(), code);
    });
  });

  it.each([
    ['releaseDigest', 'CLIENT_RECEIPT_RELEASE'],
    ['keyConfigDigest', 'CLIENT_RECEIPT_KEYS'],
  ] as const)('with a receipt over another %s', async (field, code) => {
    const own = await forgeEnclave();
    const { receipt: receiptKey, keyConfigDigest } = own.generation;
    const releaseDigest = await releaseDigestOf(own.release.bundle);
    const digests = { releaseDigest, keyConfigDigest, evidenceDigest: new Uint8Array(32), [field]: new Uint8Array(32) };
    own.generation = { ...own.generation, receipts: createReceiptIssuer({ receiptKey, ...digests, now: () => now }) };
    await withServer({ enclave: own }, async ({ client }) => {
      const response = await client.fetch(url, post);
      await expectCode(() => response.text(), code);
    });
  });

  it('with a receipt that an older response had', async () => {
    let older: HeadersInit | undefined;
    const trailers: ServerOptions['trailers'] = (honest) => (older ??= honest);
    await withServer({ trailers }, async ({ client }) => {
      await (await client.fetch(url, post)).text();
      const response = await client.fetch(url, { ...post, body: 'another' });
      await expectCode(() => response.text(), 'CLIENT_RECEIPT_REQUEST');
    });
  });

  it('with a receipt of another time', async () => {
    for (const minutes of [-6, 6]) {
      const client = { now: () => new Date(now.getTime() + minutes * 60_000) };
      await withServer({ client }, async ({ client: tested }) => {
        const response = await tested.fetch(url, post);
        await expectCode(() => response.text(), 'CLIENT_RECEIPT_TIME');
      });
    }
  });

  it('when it is larger than the client accepts', async () => {
    const answer = () => ({ body: new Uint8Array(100_000) });
    await withServer({ answer, client: { maxResponseBytes: 50_000 } }, async ({ client }) => {
      const response = await client.fetch(url, post);
      await expectCode(() => response.arrayBuffer(), 'CHANNEL_RESPONSE_TOO_LARGE');
    });
  });
});

describe('a receipt', () => {
  it('is not given for a response that was not read, nor for one of another client', async () => {
    await withServer({}, async ({ client }) => {
      const response = await client.fetch(url, post);
      await response.body?.cancel();
      await expectCode(() => client.getReceipt(response), 'CLIENT_RECEIPT_INCOMPLETE');
      await expectCode(() => client.getReceipt(new Response('x')), 'CLIENT_RECEIPT_UNKNOWN');
    });
  });
});

describe('an abort', () => {
  it('stops a response, and tells the enclave', async () => {
    const stopped = Promise.withResolvers<string>();
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(utf8Encode('begun')),
      cancel: () => stopped.resolve('stopped'),
    });
    await withServer({ answer: () => ({ body }) }, async ({ client }) => {
      const abort = new AbortController();
      const response = await client.fetch(url, { ...post, signal: abort.signal });
      const reader = response.body?.getReader();
      await reader?.read();
      abort.abort();
      await expect(reader?.read()).rejects.toMatchObject({ name: 'AbortError' });
      expect(await stopped.promise).toBe('stopped');
    });
  });

  it('of one caller leaves the verification to the others', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const own = await forgeEnclave();
    const slow: ForgedEnclave = {
      ...own,
      attest: async (nonce, change) => {
        await held;
        return own.attest(nonce, change);
      },
    };
    await withServer({ enclave: slow }, async ({ client }) => {
      const abort = new AbortController();
      const one = client.fetch(url, { ...post, signal: abort.signal });
      const other = client.fetch(url, post);
      abort.abort();
      await expect(one).rejects.toMatchObject({ name: 'AbortError' });
      release?.();
      expect((await other).status).toBe(200);
    });
  });
});

describe('a relay that does not answer', () => {
  /** Takes every request for `path` and never answers it. */
  const silentAt =
    (silent: string): NonNullable<ServerOptions['before']> =>
    (path) =>
      path === silent;

  it('ends a verification after its time, and the next one is a new one', async () => {
    let silent = true;
    const before: ServerOptions['before'] = () => silent;
    await withServer({ before, client: { attestTimeoutMs: 3000 } }, async ({ server, client }) => {
      const failures = await Promise.all([failureOf(() => client.verify()), failureOf(() => client.fetch(url, post))]);
      expect(failures.map(({ code }) => code)).toEqual(['CLIENT_TIMEOUT', 'CLIENT_TIMEOUT']);
      expect(failures.map(actionFor)).toEqual(['try-later', 'try-later']);
      expect(server.log).toEqual(['/attestation']);
      silent = false;
      expect((await client.fetch(url, post)).status).toBe(200);
    });
  });

  it('is not waited for when its attestation begins and does not end, even by a fetch that knows no abort', async () => {
    const begun = new Response(new ReadableStream<Uint8Array>({ start: (body) => body.enqueue(utf8Encode('{')) }));
    const client = createClient({
      url: 'https://a',
      policy: policyFor(),
      attestTimeoutMs: 100,
      fetch: () => Promise.resolve(begun),
    });
    await expectCode(() => client.verify(), 'CLIENT_TIMEOUT');
  });

  it('ends a request after its time: without an outer response, and with one that holds nothing', async () => {
    const empty = (sealed: ReadableStream<Uint8Array>) => {
      void sealed.cancel();
      return new ReadableStream<Uint8Array>();
    };
    const relays: Partial<ServerOptions>[] = [{ before: silentAt('/ohttp') }, { outer: empty }];
    for (const options of relays) {
      await withServer({ ...options, client: { responseTimeoutMs: 100 } }, async ({ client }) => {
        await expectCode(() => client.fetch(url, post), 'CLIENT_TIMEOUT');
      });
    }
  });

  it('does not count the time of a body', async () => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (own) => {
        controller = own;
      },
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    await withServer({ answer: () => ({ body }), client: { responseTimeoutMs: 1000 } }, async ({ client }) => {
      const response = await client.fetch(url, post);
      vi.advanceTimersByTime(1_000_000);
      controller?.enqueue(utf8Encode('late'));
      controller?.close();
      expect(await response.text()).toBe('late');
    });
  });

  it('lets a caller give up; the others go on, and the last one to give up leaves nothing behind', async () => {
    const held: (() => void)[] = [];
    const own = await forgeEnclave();
    const slow: ForgedEnclave = {
      ...own,
      attest: async (nonce, change) => {
        await new Promise<void>((resolve) => {
          held.push(resolve);
        });
        return own.attest(nonce, change);
      },
    };
    const attested = async (count: number): Promise<void> => {
      while (held.length < count) {
        await new Promise((resolve) => {
          setTimeout(resolve, 5);
        });
      }
    };
    await withServer({ enclave: slow, client: { attestTimeoutMs: 60_000 } }, async ({ server, client }) => {
      const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
      const one = client.verify({ signal: first.signal });
      const other = client.verify({ signal: second.signal });
      await attested(1);
      first.abort();
      await expect(one).rejects.toMatchObject({ name: 'AbortError' });
      held[0]?.();
      expect((await other).simulated).toBe(false);

      const alone = client.verify({ signal: third.signal });
      await attested(2);
      third.abort();
      await expect(alone).rejects.toMatchObject({ name: 'AbortError' });
      const next = client.verify();
      await attested(3);
      held[2]?.();
      expect((await next).simulated).toBe(false);
      held[1]?.();
      expect(server.log).toEqual(['/attestation', '/attestation', '/attestation']);
      await expect(client.verify({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
      expect(server.log).toHaveLength(3);
    });
  });
});

describe('a password in a URL', () => {
  it.each(['http://user:s3cretpw@127.0.0.1:1', 'https://s3cretpw@a', 'https://:s3cretpw@a/base'])(
    'is refused and not repeated: %s',
    async (address) => {
      const failure = await failureOf(() => createClient({ url: address, policy: policyFor() }));
      expect(failure.code).toBe('CLIENT_OPTION_INVALID');
      expect(inspect(failure)).not.toContain('s3cretpw');
    },
  );

  it('of a request is not repeated either', async () => {
    const client = createClient({ url: 'https://a', policy: policyFor() });
    for (const address of ['https://user:s3cretpw@enclave.invalid/v1/models', 'https://user:s3cretpw@/v1/models']) {
      const failure = await failureOf(() => client.fetch(address));
      expect(failure.code).toBe('CLIENT_REQUEST_INVALID');
      expect(inspect(failure, { depth: 9 })).not.toContain('s3cretpw');
    }
  });
});

describe('options', () => {
  it.each(['ftp://a', 'not a url', 'https://a/?b', 'https://a/#b'])('refuse the URL %s', async (address) => {
    await expectCode(() => createClient({ url: address, policy: policyFor() }), 'CLIENT_OPTION_INVALID');
  });

  it.each([{ attestTimeoutMs: 0 }, { responseTimeoutMs: 2 ** 31 }, { attestTimeoutMs: Number.NaN }])(
    'refuse the time limit %o',
    async (limit) => {
      await expectCode(
        () => createClient({ url: 'https://a', policy: policyFor(), ...limit }),
        'CLIENT_OPTION_INVALID',
      );
    },
  );

  it('refuse a session of no time and randomness that is short', async () => {
    await expectCode(
      () => createClient({ url: 'https://a', policy: policyFor(), sessionSeconds: 0 }),
      'CLIENT_OPTION_INVALID',
    );
    const client = createClient({ url: 'https://a', policy: policyFor(), random: () => new Uint8Array(8) });
    await expectCode(() => client.verify(), 'CLIENT_OPTION_INVALID');
  });

  it('take the base URL of a relay with a path', async () => {
    const seen: string[] = [];
    const client = createClient({
      url: 'https://relay.example/enclaves/7/',
      policy: policyFor(),
      fetch: (address) => {
        seen.push(address);
        return Promise.reject(new TypeError('no network'));
      },
    });
    await expectCode(() => client.verify(), 'CLIENT_UNREACHABLE');
    expect(seen).toEqual(['https://relay.example/enclaves/7/attestation']);
  });

  it('send a fresh nonce for every verification', async () => {
    const nonces = new Set<string>();
    const attestation: ServerOptions['attestation'] = (bundle) => {
      nonces.add(bundle.nonce);
      return bundle;
    };
    await withServer({ attestation }, async ({ client }) => {
      for (let round = 0; round < 3; round += 1) await client.verify();
      expect(nonces.size).toBe(3);
      expect(toHex(fromBase64Url([...nonces][0] ?? ''))).toHaveLength(64);
    });
  });
});

describe('an enclave that refuses inside the channel', () => {
  const answer = (code: string) => () => ({ status: 503, headers: { 'fastness-error': code }, body: utf8Encode('{}') });

  it('is believed, with the code as the error', async () => {
    await withServer({ answer: answer('ENCLAVE_LEASE_LOST') }, async ({ client }) => {
      const error = await failureOf(() => client.fetch(url, post));
      expect(error.code).toBe('ENCLAVE_LEASE_LOST');
      expect(actionFor(error)).toBe('try-later');
    });
  });

  it('names no code of other parts, and none that does not exist', async () => {
    for (const code of ['RELEASE_EXPIRED', 'ENCLAVE_NO_SUCH_CODE']) {
      await withServer({ answer: answer(code) }, async ({ client }) => {
        await expectCode(() => client.fetch(url, post), 'CLIENT_REFUSED');
      });
    }
  });
});
