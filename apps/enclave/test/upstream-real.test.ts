import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detectModel } from '@fastness/model';
import { hasModels, heldOut, triageFile } from './models.ts';
import { connect, start, type Started } from './running.ts';
import { createWorld, type World } from './world.ts';

// A real llama-server next to a real enclave. `npm run test:upstream` builds it from the sources that node-llama-cpp carries
// and says where it is; without it these are skipped.
const server = process.env['FASTNESS_LLAMA_SERVER'];
const words = (text: string): string[] => text.split(' ');
const { note, answer } = hasModels ? heldOut() : { note: '', answer: '' };

describe.skipIf(server === undefined || !hasModels)('llama-server next to an enclave', { timeout: 300_000 }, () => {
  let folder: string;
  let world: World;
  let enclave: Started;
  let openai: OpenAI;
  let channel: Awaited<ReturnType<typeof connect>>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-llama-server-'));
    const source = join(folder, 'model');
    await mkdir(source);
    await copyFile(triageFile, join(source, 'triage.gguf'));
    await writeFile(
      join(source, 'upstream.json'),
      JSON.stringify({
        format: 'fastness/upstream/v1',
        task: 'generate',
        dialect: 'llama-server',
        program: {
          path: server,
          sha256: createHash('sha256')
            .update(readFileSync(server ?? ''))
            .digest('hex'),
        },
        arguments: [
          ...words('--model {file:triage.gguf} --host {socket} --parallel {sequences} --ctx-size 1024'),
          // No cache of prompts beside the slots, nothing to look into them with, no page, no log.
          ...words('--cache-ram 0 --no-slots --no-ui --log-disable --threads 1'),
        ],
        contextLength: 512,
        features: ['json', 'tools'],
      }),
    );
    const { engine, task } = await detectModel(source);
    expect({ engine, task }).toEqual({ engine: 'upstream', task: 'generate' });
    world = await createWorld({ source, engine, task });
    await world.startBroker();
    await world.register();
    enclave = await start(world.config());
    await Promise.race([enclave.until('serving'), enclave.ended.then((error) => Promise.reject(error))]);
    channel = await connect(enclave.url, world);
    openai = new OpenAI({
      apiKey: 'tenant-one',
      baseURL: 'https://enclave.invalid/v1',
      maxRetries: 0,
      fetch: channel.fetch,
    });
  });
  afterAll(async () => {
    await enclave?.close();
    await world?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const request = { model: 'triage', messages: [{ role: 'user' as const, content: note }], temperature: 0 };

  it('answers through the channel as the model does, streamed and whole, with usage', async () => {
    const whole = await openai.chat.completions.create(request);
    expect(whole.choices[0]?.message.content?.trim()).toBe(answer);
    expect(whole.usage?.completion_tokens).toBeGreaterThan(5);
    let text = '';
    let usage: unknown;
    const stream = await openai.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const event of stream) {
      text += event.choices[0]?.delta.content ?? '';
      usage = event.usage ?? usage;
    }
    expect(text.trim()).toBe(answer);
    expect(usage).toEqual(whole.usage);
    expect((await openai.models.list()).data[0]).toMatchObject({ id: 'triage' });
  });

  it('holds answers to JSON', async () => {
    const json = await openai.chat.completions.create({
      ...request,
      max_tokens: 60,
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'level',
          schema: { type: 'object', properties: { level: { type: 'integer' } }, required: ['level'] },
        },
      },
    });
    expect(json.choices[0]?.message.content).toMatch(/^\s*\{/u);
  });

  it('refuses a prompt that does not fit in its own words', async () => {
    const long = [{ role: 'user' as const, content: 'cough '.repeat(2000) }];
    await expect(openai.chat.completions.create({ ...request, messages: long })).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    });
  });

  it('stops when who asked goes away: more streams than it has sequences, one after the other', async () => {
    for (let round = 0; round < 6; round += 1) {
      const gone = new AbortController();
      const prompt = 'and '.repeat(48);
      const stream = await openai.completions.create(
        { model: 'triage', prompt, max_tokens: 400, stream: true },
        { signal: gone.signal },
      );
      for await (const event of stream) if (event.choices[0]?.text !== '') break;
      gone.abort();
    }
    expect((await openai.chat.completions.create({ ...request, max_tokens: 1 })).choices).toHaveLength(1);
  });

  it('gives tenants the same answer, whatever was asked before', async () => {
    const other = new OpenAI({
      apiKey: 'tenant-two',
      baseURL: 'https://enclave.invalid/v1',
      maxRetries: 0,
      fetch: channel.fetch,
    });
    const answers = await Promise.all(
      [openai, other, openai, other].map(
        async (sdk) => (await sdk.chat.completions.create(request)).choices[0]?.message,
      ),
    );
    expect(new Set(answers.map((message) => message?.content?.trim()))).toEqual(new Set([answer]));
  });
});
