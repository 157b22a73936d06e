import { createHash } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGate, type Gate } from '../src/access/gate.ts';
import { Pass } from '../src/access/pass.ts';
import type { Engine, EngineFiles, ModelFile } from '../src/engine/engine.ts';
import { engineRuntime } from '../src/engine/select.ts';
import { createInnerApi } from '../src/serve/inner/app.ts';
import { createMemoryFile } from '../src/memory/index.ts';
import { shapeOf } from '../src/serve/traffic/shape.ts';
import { codeOfAsync } from './codes.ts';

const script = fileURLToPath(new URL('upstream-server.ts', import.meta.url));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const program = { path: process.execPath, sha256: sha256(readFileSync(process.execPath)) };
const weights = Buffer.from('weights that no disk ever sees');

function memoryFile(bytes: Uint8Array): ModelFile & { close(): void } {
  const file = createMemoryFile({ name: 'test' });
  writeSync(file.fd, bytes);
  file.seal();
  return file;
}

const spec = (changes: object = {}) => ({
  format: 'fastness/upstream/v1',
  task: 'generate',
  dialect: 'openai',
  program,
  arguments: ['--disable-warning=ExperimentalWarning', script, '{socket}', '{file:weights.bin}'],
  contextLength: 4096,
  features: ['tools', 'json'],
  startSeconds: 120,
  ...changes,
});

async function load(changes: object = {}): Promise<Engine> {
  const described = spec(changes);
  const files = new Map([
    ['upstream.json', memoryFile(Buffer.from(JSON.stringify(described)))],
    ['weights.bin', memoryFile(weights)],
  ]);
  const options: EngineFiles = {
    files,
    task: described.task === 'embed' ? 'embed' : 'generate',
    limits: { sequences: 2, queue: 2, contextLength: 2048 },
  };
  try {
    return await (await engineRuntime('upstream')).load(options);
  } finally {
    for (const file of files.values()) file.close();
  }
}

function sdkOf(engine: Engine, shaped = false, gate: Gate = openGate): OpenAI {
  const shape = shapeOf('balanced');
  const api = createInnerApi(
    {
      engine,
      modelId: 'served',
      limits: {
        bodyBytes: 65_536,
        messages: 8,
        inputs: 4,
        maxTokens: 200,
        requestSeconds: 300,
        tokensPerFrame: 8,
        frameDelayMs: 1000,
      },
      ...(shaped && shape !== undefined ? { shape: { ...shape, frameMs: 1, startMs: 1 } } : {}),
      now: () => new Date(),
      gate,
      lease: new AbortController().signal,
    },
    () => {},
  );
  return new OpenAI({
    apiKey: 'unused',
    baseURL: 'https://enclave.invalid/v1',
    maxRetries: 0,
    fetch: async (input, init) => api(new Request(input, init)),
  });
}

const user = (content: string) => ({ model: 'served', messages: [{ role: 'user' as const, content }] });

describe('a server next to the enclave', { timeout: 120_000 }, () => {
  let engine: Engine;
  let openai: OpenAI;
  beforeAll(async () => {
    engine = await load();
    openai = sdkOf(engine);
  }, 180_000);
  afterAll(() => engine.close());

  const said = async (content: string): Promise<string> =>
    (await openai.chat.completions.create(user(content))).choices[0]?.message.content ?? '';

  it('reads the model from memory, and answers chats and texts', async () => {
    expect(await said('digest')).toBe(sha256(weights));
    expect(await said('hello')).toBe('You said hello.');
    const text = await openai.completions.create({ model: 'served', prompt: 'once' });
    expect(text).toMatchObject({ choices: [{ text: 'You said once.', finish_reason: 'stop' }], model: 'served' });
    expect(text.usage).toEqual({ prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 });
    expect(engine.info).toMatchObject({ engine: 'upstream', contextLength: 2048 });
  });

  it('gets nothing of the environment, and no option of who asks but those it knows', async () => {
    const { argv, ...environment } = JSON.parse(await said('environment')) as Record<string, unknown>;
    expect(Object.keys(environment).sort()).toEqual(['HOME', 'LANG', 'PATH']);
    expect(argv).toEqual([
      expect.stringMatching(/\/fastness-upstream-\w+\/server\.sock$/u),
      expect.stringMatching(/fd\/\d+$/u),
    ]);
    const body = JSON.parse(await said('body')) as Record<string, unknown>;
    expect(Object.keys(body).sort()).toEqual(
      ['max_tokens', 'messages', 'model', 'seed', 'stream', 'stream_options', 'temperature', 'top_p'].sort(),
    );
    expect(body['model']).toBe('default');
  });

  it.each([false, true])('streams, and says what it used; shaped: %s', async (shaped) => {
    const request = { ...user('a b c'), stream: true, stream_options: { include_usage: true } } as const;
    let text = '';
    let usage: unknown;
    for await (const event of await sdkOf(engine, shaped).chat.completions.create(request)) {
      text += event.choices[0]?.delta.content ?? '';
      usage = event.usage ?? usage;
    }
    expect(text).toBe('You said a b c.');
    expect(usage).toEqual({ prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 });
  });

  it.each([false, true])('calls tools, and reads what they said; streamed: %s', async (stream) => {
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }];
    let call: unknown;
    let reason: unknown;
    if (stream) {
      const assembled = { id: '', name: '', arguments: '' };
      const events = await sdkOf(engine, true).chat.completions.create({ ...user('weather?'), tools, stream });
      for await (const event of events) {
        reason = event.choices[0]?.finish_reason ?? reason;
        for (const part of event.choices[0]?.delta.tool_calls ?? []) {
          assembled.id += part.id ?? '';
          assembled.name += part.function?.name ?? '';
          assembled.arguments += part.function?.arguments ?? '';
        }
      }
      const { id, ...called } = assembled;
      call = { id, type: 'function', function: called };
    } else {
      const answer = await openai.chat.completions.create({ ...user('weather?'), tools, tool_choice: 'required' });
      call = answer.choices[0]?.message.tool_calls?.[0];
      reason = answer.choices[0]?.finish_reason;
      expect(answer.choices[0]?.message.content).toBeNull();
    }
    expect(reason).toBe('tool_calls');
    expect(call).toEqual({
      id: 'call-1',
      type: 'function',
      function: { name: 'weather', arguments: '{"city":"Bern"}' },
    });
    const answer = await openai.chat.completions.create({
      model: 'served',
      messages: [
        { role: 'user', content: 'weather?' },
        { role: 'assistant', content: null, tool_calls: [call as OpenAI.ChatCompletionMessageFunctionToolCall] },
        { role: 'tool', tool_call_id: 'call-1', content: 'sunny' },
      ],
    });
    expect(answer.choices[0]?.message.content).toBe('The tool said sunny to call-1.');
  });

  it('is not handed a schema that nests without end', async () => {
    const nested = (levels: number): Record<string, unknown> =>
      levels === 0 ? { type: 'string' } : { type: 'array', items: nested(levels - 1) };
    const asked = async (levels: number) =>
      openai.chat.completions.create({
        ...user('weather?'),
        tools: [{ type: 'function', function: { name: 'weather', parameters: nested(levels) } }],
      });
    // Body, list, tool and function are around it, and the schema of the innermost value within.
    expect((await asked(59)).choices[0]?.finish_reason).toBe('tool_calls');
    await expect(asked(60)).rejects.toMatchObject({ status: 400, code: 'ENCLAVE_REQUEST' });
  });

  it('holds answers to JSON', async () => {
    const answer = await openai.chat.completions.create({ ...user('x'), response_format: { type: 'json_object' } });
    expect(JSON.parse(answer.choices[0]?.message.content ?? '')).toEqual({ answered: 'x' });
  });

  it.each([
    ['too long', 400, 'context_length_exceeded'],
    ['wrong', 400, 'ENCLAVE_REQUEST'],
    ['busy', 429, 'ENCLAVE_BUSY'],
    ['broken', 500, 'ENCLAVE_ENGINE_FAILED'],
    ['cut', 500, 'ENCLAVE_ENGINE_FAILED'],
  ])('refuses in its own shape when the server says: %s', async (content, status, code) => {
    const failure = openai.chat.completions.create(user(content));
    await expect(failure).rejects.toMatchObject({ status, code });
    await expect(failure).rejects.not.toThrow(/secret detail/u);
  });

  it.each(['call', 'think'])('charges a tenant who cuts an answer for what it is not text: %s', async (content) => {
    const charged = Promise.withResolvers<number>();
    const gate: Gate = (headers) => new Pass(openGate(headers).tenant, charged.resolve);
    const request = { ...user(content), stream: true as const };
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }];
    const stream = await sdkOf(engine, false, gate).chat.completions.create({ ...request, tools });
    for await (const event of stream) if (event.choices[0]?.delta.content === 'now') break;
    expect(await charged.promise).toBe(21 + Math.ceil(JSON.stringify({ ...request, tools }).length / 4));
  });

  it.each([false, true])('makes the server stop when who asked goes away; shaped: %s', async (shaped) => {
    for (let round = 0; round < 3; round += 1) {
      const stream = await sdkOf(engine, shaped).chat.completions.create({ ...user('forever'), stream: true });
      for await (const event of stream) if ((event.choices[0]?.delta.content ?? '') !== '') break;
    }
    const working = async (): Promise<unknown> => JSON.parse(await said('state'));
    await expect.poll(working, { timeout: 60_000 }).toMatchObject({ working: 0 });
    const before = await working();
    expect(await working()).toEqual(before);
  });

  it('says that the engine broke down when the server ends', async () => {
    const other = await load();
    await expect(sdkOf(other).chat.completions.create(user('die'))).rejects.toMatchObject({ status: 500 });
    expect((await other.broken)?.code).toBe('ENCLAVE_ENGINE_FAILED');
    await other.close();
  });

  it('embeds, over a port with a secret, and keys the caches of servers that have any', async () => {
    const loopback = {
      arguments: ['--disable-warning=ExperimentalWarning', script, '{port}', '{file:weights.bin}'],
      environment: { SERVER_KEY: '{key}' },
    };
    const embedder = await load({ task: 'embed', ...loopback });
    const answer = await sdkOf(embedder).embeddings.create({ model: 'served', input: ['a', 'bb'] });
    expect(answer.data.map(({ embedding }) => Math.hypot(...embedding).toFixed(4))).toEqual(['1.0000', '1.0000']);
    expect(answer.data[1]?.embedding[0]).toBeCloseTo(2 / Math.hypot(2, 3, 4), 5);
    expect(answer.usage.prompt_tokens).toBe(11);
    await embedder.close();
    const server = await load({ dialect: 'llama-server', ...loopback });
    const body = await sdkOf(server).chat.completions.create(user('body'));
    expect(JSON.parse(body.choices[0]?.message.content ?? '')).toMatchObject({ cache_prompt: false });
    await server.close();
  });
});

describe('a server that is not what was signed', { timeout: 120_000 }, () => {
  const other = '00'.repeat(32);
  it.each([
    ['another program', { program: { ...program, sha256: other } }, 'ENCLAVE_UPSTREAM_PROGRAM'],
    ['another library', { libraries: [{ path: script, sha256: other }] }, 'ENCLAVE_UPSTREAM_PROGRAM'],
    ['no program', { program: { path: '/nowhere/server', sha256: other } }, 'ENCLAVE_ENGINE_UNAVAILABLE'],
    ['a folder', { program: { path: '/usr/bin', sha256: other } }, 'ENCLAVE_UPSTREAM_PROGRAM'],
    ['a file that the model lacks', { arguments: [script, '{socket}', '{file:other}'] }, 'MODEL_UPSTREAM'],
    ['a word that means nothing', { arguments: [script, '{socket}', '{nothing}'] }, 'MODEL_UPSTREAM'],
    ['a server that ends', { arguments: [script, 'end', '{file:weights.bin}', '{socket}'] }, 'MODEL_DOES_NOT_LOAD'],
    ['no place to listen', { arguments: [script] }, 'MODEL_UPSTREAM'],
    ['a key on the command line', { arguments: [script, '{socket}', '{key}'] }, 'MODEL_UPSTREAM'],
    ['a port without a key', { arguments: [script, '{port}'] }, 'MODEL_UPSTREAM'],
    ['a relative path', { program: { ...program, path: 'node' } }, 'MODEL_UPSTREAM'],
  ])('is refused: %s', async (_what, changes, code) => {
    expect(await codeOfAsync(load(changes))).toBe(code);
  });
});
