import OpenAI, { type APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FastnessError } from '@fastness/codec/errors';
import { openGate, type Gate } from '../src/access/gate.ts';
import type { Engine, EngineRuntime } from '../src/engine/engine.ts';
import { engineRuntime } from '../src/engine/select.ts';
import { createInnerApi } from '../src/serve/inner/app.ts';
import type { ApiLimits } from '../src/serve/inner/limits.ts';
import { roundedFrames, shapeOf, type TrafficShape } from '../src/serve/traffic/shape.ts';
import { classifierFiles, hasModels, heldOut, limits, triageFiles } from './models.ts';

const apiLimits: ApiLimits = {
  bodyBytes: 65_536,
  messages: 8,
  inputs: 4,
  maxTokens: 200,
  requestSeconds: 30,
  tokensPerFrame: 8,
  frameDelayMs: 60_000,
};
const { note } = heldOut();
const user = { role: 'user', content: note } as const;

/** The `openai` package in front of the API, without a network between them. */
function clientOf(
  engine: Engine,
  changes: { lease?: AbortSignal; limits?: Partial<ApiLimits>; shape?: TrafficShape; gate?: Gate } = {},
) {
  const errors: unknown[] = [];
  const api = createInnerApi(
    {
      engine,
      modelId: 'triage',
      limits: { ...apiLimits, ...changes.limits },
      now: () => new Date('2026-11-23T12:00:00Z'),
      shape: changes.shape,
      gate: changes.gate ?? openGate,
      lease: changes.lease ?? new AbortController().signal,
    },
    (error) => errors.push(error),
  );
  const sdk = new OpenAI({
    apiKey: 'unused',
    baseURL: 'https://enclave.invalid/v1',
    maxRetries: 0,
    fetch: async (input, init) => api(new Request(input, init)),
  });
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) =>
    api(
      new Request(`https://enclave.invalid${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    );
  return { sdk, api, post, errors };
}

describe.skipIf(!hasModels)('the inner API over llama', () => {
  let runtime: EngineRuntime;
  let engine: Engine;
  beforeAll(async () => {
    runtime = await engineRuntime('llama');
    engine = await runtime.load({ files: triageFiles(), task: 'generate', limits });
  });
  afterAll(async () => {
    await engine.close();
    await runtime.close();
  });

  it('lists the one model', async () => {
    const { sdk } = clientOf(engine);
    const models = await sdk.models.list();
    const endpoints = ['/v1/chat/completions', '/v1/completions'];
    expect(models.data).toMatchObject([{ id: 'triage', object: 'model', owned_by: 'fastness', endpoints }]);
    expect(await sdk.models.retrieve('triage')).toMatchObject({ id: 'triage' });
    await expect(sdk.models.retrieve('gpt')).rejects.toMatchObject({ status: 404 });
  });

  it('answers a chat', async () => {
    const { sdk } = clientOf(engine);
    const answer = await sdk.chat.completions.create({ model: 'triage', messages: [user], temperature: 0 });
    expect(answer.choices[0]?.message.content).toMatch(/^level=[1-5]/u);
    expect(answer.choices[0]?.finish_reason).toBe('stop');
    expect(answer.usage?.total_tokens).toBe(
      (answer.usage?.prompt_tokens ?? 0) + (answer.usage?.completion_tokens ?? 0),
    );
    expect(answer.created).toBe(Date.parse('2026-11-23T12:00:00Z') / 1000);
  });

  it('streams the same answer, with usage at the end', async () => {
    const { sdk } = clientOf(engine);
    const request = { model: 'triage', messages: [user], temperature: 0 };
    const whole = await sdk.chat.completions.create(request);
    const stream = await sdk.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let reason: string | null | undefined;
    let usage: unknown;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      reason = chunk.choices[0]?.finish_reason ?? reason;
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(reason).toBe('stop');
    expect(usage).toEqual(whole.usage);
  });

  it('streams frames of equal size and a rounded number, with an error that came in between', async () => {
    const shape = { ...(shapeOf('balanced') as TrafficShape), frameMs: 1 };
    const lease = new AbortController();
    for (const lost of [false, true]) {
      const { post } = clientOf(engine, { shape, lease: lease.signal });
      const response = await post('/v1/chat/completions', {
        model: 'triage',
        messages: [user],
        temperature: 0,
        stream: true,
      });
      if (lost) lease.abort(new FastnessError('ENCLAVE_LEASE_LOST'));
      const frames: Uint8Array[] = [];
      for await (const frame of response.body ?? []) frames.push(frame);
      expect(new Set(frames.map(({ length }) => length))).toEqual(new Set([shape.frameBytes]));
      expect(roundedFrames(frames.length, shape)).toBe(frames.length);
      const text = Buffer.concat(frames).toString();
      expect(text.includes('data: [DONE]')).not.toBe(text.includes('"code":"ENCLAVE_LEASE_LOST"'));
      if (!lost) expect(text).toContain('data: [DONE]');
    }
  });

  it('begins a strict stream before the engine has read the prompt, and looks the same when it then fails', async () => {
    const shape = { ...(shapeOf('strict') as TrafficShape), frameMs: 1 };
    const frames: number[] = [];
    for (const fails of [false, true]) {
      const read = Promise.withResolvers<void>();
      const slow: Engine = {
        ...engine,
        chat: async (messages, options) => {
          await read.promise;
          return (engine.chat as NonNullable<Engine['chat']>)(messages, options);
        },
      };
      const { post } = clientOf(slow, { shape });
      const body = { model: 'triage', messages: [user], stream: true, max_tokens: 200, temperature: 0 };
      const response = await post('/v1/chat/completions', body);
      expect(response.status).toBe(200);
      if (fails) read.reject(new FastnessError('ENCLAVE_ENGINE_FAILED'));
      else read.resolve();
      const text = await response.text();
      expect(text.includes('data: [DONE]')).toBe(!fails);
      expect(text.includes('"error"')).toBe(fails);
      frames.push(text.length / shape.frameBytes);
    }
    expect(Math.min(...frames)).toBeGreaterThanOrEqual(32);
    expect(frames.map((count) => Math.log2(count) % 1)).toEqual([0, 0]);
    // What the request gets wrong is known before, and said as ever.
    const { post } = clientOf(engine, { shape });
    const refused = await post('/v1/chat/completions', { model: 'triage', messages: [user], stream: true, n: 2 });
    expect(refused.status).toBe(400);
  });

  it('completes a text, streamed and not', async () => {
    const { sdk } = clientOf(engine);
    const request = { model: 'triage', prompt: 'level=3 | ', max_tokens: 12, temperature: 0 };
    const whole = await sdk.completions.create(request);
    expect(whole.choices[0]?.finish_reason).toMatch(/^(?:length|stop)$/u);
    let text = '';
    for await (const chunk of await sdk.completions.create({ ...request, stream: true }))
      text += chunk.choices[0]?.text ?? '';
    expect(text).toBe(whole.choices[0]?.text);
  });

  it('takes messages in parts, and a developer for a system', async () => {
    const { sdk } = clientOf(engine);
    const answer = await sdk.chat.completions.create({
      model: 'triage',
      messages: [
        { role: 'developer', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text', text: note }] },
      ],
      max_completion_tokens: 4,
    });
    expect(answer.usage?.completion_tokens).toBe(4);
    expect(answer.choices[0]?.finish_reason).toBe('length');
  });

  const image = { type: 'image_url', image_url: { url: 'data:secret-content' } };
  const tool = { type: 'function', function: { name: 'weather' } };
  it.each<[string, object, string, string]>([
    ['no messages', { messages: [] }, 'messages', 'invalid_value'],
    ['messages left out', { messages: undefined }, 'messages', 'missing_required_parameter'],
    ['messages that are none', { messages: 'secret-content' }, 'messages', 'invalid_type'],
    ['too many messages', { messages: Array.from({ length: 9 }, () => user) }, 'messages', 'invalid_value'],
    ['the assistant last', { messages: [{ role: 'assistant', content: 'x' }] }, 'messages', 'invalid_value'],
    ['a role', { messages: [{ role: 'robot', content: 'x' }] }, 'messages[0].role', 'unsupported_value'],
    [
      'an image',
      { messages: [{ role: 'user', content: [image] }] },
      'messages[0].content[0].type',
      'unsupported_value',
    ],
    ['content', { messages: [{ role: 'user', content: 7 }] }, 'messages[0].content', 'invalid_type'],
    ['several answers', { n: 2 }, 'n', 'unsupported_value'],
    ['probabilities', { logprobs: true, top_logprobs: 2 }, 'logprobs', 'unsupported_value'],
    ['penalties', { presence_penalty: 0.5 }, 'presence_penalty', 'unsupported_value'],
    ['biases', { logit_bias: { 5: -100 } }, 'logit_bias.5', 'unsupported_parameter'],
    ['speech', { modalities: ['text', 'audio'] }, 'modalities', 'invalid_value'],
    ['storing', { store: true }, 'store', 'unsupported_value'],
    ['what it does not know', { reasoning_effort: 'low' }, 'reasoning_effort', 'unsupported_parameter'],
    ['more tokens than allowed', { max_tokens: 201 }, 'max_tokens', 'invalid_value'],
    ['more tokens, by the newer name', { max_completion_tokens: 201 }, 'max_completion_tokens', 'invalid_value'],
    ['an empty stop', { stop: '' }, 'stop', 'invalid_value'],
    ['too many stops', { stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop', 'invalid_value'],
    ['a stop of another type', { stop: 5 }, 'stop', 'invalid_type'],
    ['one empty stop of two', { stop: ['a', ''] }, 'stop[1]', 'invalid_value'],
    ['a temperature out of range', { temperature: 3 }, 'temperature', 'invalid_value'],
    ['tools', { tools: [tool] }, 'tools', 'unsupported_parameter'],
    ['JSON', { response_format: { type: 'json_object' } }, 'response_format', 'unsupported_parameter'],
  ])('refuses %s as OpenAI would, and quotes nothing', async (_name, changes, param, code) => {
    const { sdk } = clientOf(engine);
    const request = { model: 'triage', messages: [user], ...changes } as Parameters<
      typeof sdk.chat.completions.create
    >[0];
    const refusal: APIError = await sdk.chat.completions.create(request).then(
      () => expect.unreachable(),
      (error: unknown) => error as APIError,
    );
    expect(refusal).toMatchObject({ status: 400, type: 'invalid_request_error', param, code });
    expect(refusal.error).toMatchObject({ fastness_code: expect.stringMatching(/^ENCLAVE_(?:REQUEST|CAPABILITY)$/u) });
    expect(refusal.message).not.toMatch(/secret-content|undefined/u);
  });

  it('takes what means nothing here as it is meant', async () => {
    const neutral = {
      n: 1,
      tools: [],
      modalities: ['text' as const],
      service_tier: 'auto' as const,
      top_logprobs: 0,
      logit_bias: {},
      prompt_cache_key: 'x',
      safety_identifier: 'y',
      store: false,
    };
    const { sdk } = clientOf(engine);
    const answer = await sdk.chat.completions.create({ model: 'triage', messages: [user], ...neutral });
    expect(answer.choices).toHaveLength(1);
  });

  it('names another model, another endpoint and another method as such', async () => {
    const { sdk, api, post } = clientOf(engine);
    await expect(sdk.chat.completions.create({ model: 'gpt', messages: [user] })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
      error: { fastness_code: 'ENCLAVE_MODEL_UNKNOWN' },
    });
    await expect(sdk.responses.create({ model: 'triage', input: 'x' })).rejects.toMatchObject({
      status: 404,
      code: 'ENCLAVE_ENDPOINT',
      message: expect.stringContaining('/v1/chat/completions'),
    });
    for (const path of ['/v1/chat/completions', '/v1/embeddings'])
      expect((await api(new Request(`https://enclave.invalid${path}`))).status).toBe(405);
    expect((await post('/v1/models', {})).status).toBe(405);
  });

  it('refuses bodies that are too large, no JSON, or of another type', async () => {
    const { post } = clientOf(engine);
    expect((await post('/v1/chat/completions', `"${'x'.repeat(70_000)}"`)).status).toBe(413);
    expect((await post('/v1/chat/completions', '{')).status).toBe(400);
    expect((await post('/v1/chat/completions', '{}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post('/v1/audio/speech', {})).status).toBe(404);
  });

  it('says that it does not embed or classify', async () => {
    const { sdk, post } = clientOf(engine);
    await expect(sdk.embeddings.create({ model: 'triage', input: 'x' })).rejects.toMatchObject({
      status: 400,
      code: 'ENCLAVE_CAPABILITY',
    });
    expect((await post('/v1/classifications', { model: 'triage', input: 'x' })).status).toBe(400);
  });

  it('refuses a prompt that does not fit', async () => {
    const { sdk } = clientOf(engine);
    const long = { role: 'user', content: 'cough '.repeat(1000) } as const;
    await expect(sdk.chat.completions.create({ model: 'triage', messages: [long] })).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      error: { fastness_code: 'ENCLAVE_CONTEXT_LENGTH' },
    });
  });

  it('answers nothing once the lease is lost', async () => {
    const lease = AbortSignal.abort(new FastnessError('ENCLAVE_LEASE_LOST'));
    const { sdk } = clientOf(engine, { lease });
    await expect(sdk.chat.completions.create({ model: 'triage', messages: [user] })).rejects.toMatchObject({
      status: 503,
      code: 'ENCLAVE_LEASE_LOST',
    });
  });

  it('ends a stream with an error when the lease is lost meanwhile', async () => {
    const lease = new AbortController();
    const { post } = clientOf(engine, { lease: lease.signal, limits: { tokensPerFrame: 1 } });
    const body = { model: 'triage', messages: [user], stream: true };
    const reader = (await post('/v1/chat/completions', body)).body?.getReader();
    await reader?.read();
    lease.abort(new FastnessError('ENCLAVE_LEASE_LOST'));
    const { value } = (await reader?.read()) ?? {};
    expect(new TextDecoder().decode(value)).toContain('"code":"ENCLAVE_LEASE_LOST"');
    await expect(reader?.read()).rejects.toMatchObject({ code: 'ENCLAVE_LEASE_LOST' });
  });

  it('ends a request that takes too long, and frees what it held', async () => {
    const { post } = clientOf(engine, { limits: { requestSeconds: 0.05, tokensPerFrame: 1 } });
    const body = { model: 'triage', messages: [user], stream: true };
    const stalled = await Promise.all([post('/v1/chat/completions', body), post('/v1/chat/completions', body)]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { sdk } = clientOf(engine);
    const answer = await sdk.chat.completions.create({ model: 'triage', messages: [user], max_tokens: 1 });
    expect(answer.choices).toHaveLength(1);
    const text = new TextDecoder().decode((await stalled[0]?.body?.getReader().read())?.value);
    expect(text).toMatch(/ENCLAVE_TIME_LIMIT|"role":"assistant"/u);
  });

  it('stops working when the client is gone', async () => {
    const { post } = clientOf(engine, { limits: { tokensPerFrame: 1 } });
    for (let round = 0; round < 8; round++) {
      const response = await post('/v1/chat/completions', { model: 'triage', messages: [user], stream: true });
      const reader = response.body?.getReader();
      await reader?.read();
      await reader?.cancel();
    }
    const answer = await clientOf(engine).sdk.chat.completions.create({
      model: 'triage',
      messages: [user],
      max_tokens: 1,
    });
    expect(answer.choices).toHaveLength(1);
  });
});

describe.skipIf(!hasModels)('the inner API over onnx', () => {
  it('embeds, in floats and in base64', async () => {
    const engine = await (await engineRuntime('onnx')).load({ files: classifierFiles(), task: 'embed', limits });
    const { sdk } = clientOf(engine);
    // The package asks for base64 unless told otherwise, and decodes it.
    const packed = await sdk.embeddings.create({ model: 'triage', input: [note, 'cough'] });
    const floats = await sdk.embeddings.create({ model: 'triage', input: note, encoding_format: 'float' });
    expect(packed.data).toHaveLength(2);
    expect(floats.data[0]?.embedding).toHaveLength(engine.info.dimensions ?? 0);
    packed.data[0]?.embedding.forEach((value, index) =>
      expect(value).toBeCloseTo(floats.data[0]?.embedding[index] ?? 9, 5),
    );
    await expect(sdk.embeddings.create({ model: 'triage', input: ['a', 'b', 'c', 'd', 'e'] })).rejects.toMatchObject({
      status: 400,
      param: 'input',
    });
    await engine.close();
  });

  it('classifies', async () => {
    const engine = await (await engineRuntime('onnx')).load({ files: classifierFiles(), task: 'classify', limits });
    const response = await clientOf(engine).post('/v1/classifications', { model: 'triage', input: note, top_k: 2 });
    const body: unknown = await response.json();
    const score = { label: expect.any(String), score: expect.any(Number) };
    expect(body).toMatchObject({ data: [{ label: expect.stringMatching(/^level-[1-5]$/u), scores: [score, score] }] });
    await engine.close();
  });
});
