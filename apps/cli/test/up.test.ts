import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, startCli, type CliProcess } from '../../../attacks/support/cli.ts';

// The main job, as `npm start` runs it, and what a user does with it while it stays up.

const run = promisify(execFile);
const note = '72F c/o chest pain since this morning. Denies SOB. BP 84/52.';
const triageLine = /level=\d \| system=\S+ \| flags=\S+ \| action=\S+/;

describe('fastness up', () => {
  let folder: string;
  let home: string;
  let up: CliProcess;
  let baseUrl: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-up-'));
    home = join(folder, 'home');
    up = startCli(home, ['up', '--any-port']);
    baseUrl = String((await up.waitFor((event) => event['event'] === 'result', 150_000))['baseUrl']);
  }, 180_000);
  afterAll(async () => {
    await up.stop('SIGINT');
    await rm(folder, { recursive: true, force: true });
  });

  const eventsOf = (name: string): Record<string, unknown>[] => up.events.filter((event) => event['event'] === name);

  it('goes through every stage, in order', () => {
    const stages = up.events.map((event) => event['event']).filter((name) => name !== 'warning');
    expect(stages).toEqual([
      'home-created',
      'model-sealed',
      'release-signed',
      'release-approved',
      'release-approved',
      'broker-started',
      'release-published',
      'enclave-started',
      'relay-started',
      'enclave-verified',
      'answered',
      'result',
    ]);
  });

  it('says that the TEE is simulated', () => {
    expect(eventsOf('enclave-verified')[0]).toMatchObject({ simulated: true, approvedBy: ['alice', 'bob'] });
    expect(JSON.stringify(eventsOf('warning'))).toContain('SIMULATED');
  });

  it('runs broker, enclave and relay as processes of their own', () => {
    const pids = ['broker-started', 'enclave-started', 'relay-started'].map((name) => eventsOf(name)[0]?.['pid']);
    expect(new Set([...pids, up.child.pid]).size).toBe(4);
  });

  it('answers the openai package through the proxy, streamed and whole', async () => {
    const openai = new OpenAI({ apiKey: 'unused', baseURL: baseUrl });
    const request = { model: 'triage', messages: [{ role: 'user' as const, content: note }], temperature: 0 };
    const whole = await openai.chat.completions.create(request);
    const text = whole.choices[0]?.message.content ?? '';
    expect(text).toMatch(triageLine);
    expect(whole.usage?.completion_tokens).toBeGreaterThan(3);
    let streamed = '';
    for await (const chunk of await openai.chat.completions.create({ ...request, stream: true })) {
      streamed += chunk.choices[0]?.delta.content ?? '';
    }
    expect(streamed).toBe(text);
    expect((await openai.models.list()).data.map((model) => model.id)).toEqual(['triage']);
  });

  it('answers the ai package through the proxy, streamed and whole', async () => {
    const client = join(import.meta.dirname, 'support/ai-client.mjs');
    const { stdout } = await run(process.execPath, [client, baseUrl, note]);
    const said = JSON.parse(stdout) as { text: string; streamed: string; finishReason: string; tokens: number[] };
    expect(said.text).toMatch(triageLine);
    expect(said).toMatchObject({ streamed: said.text, finishReason: 'stop' });
    expect(said.tokens[0]).toBeGreaterThan(3);
    expect(said.tokens[1]).toBe(said.tokens[0]);
  });

  it('refuses in a shape that clients know: a tool that the model cannot call', async () => {
    const openai = new OpenAI({ apiKey: 'unused', baseURL: baseUrl, maxRetries: 0 });
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }];
    await expect(
      openai.chat.completions.create({ model: 'triage', messages: [{ role: 'user', content: note }], tools }),
    ).rejects.toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'tools',
      type: 'invalid_request_error',
      error: { fastness_code: 'ENCLAVE_CAPABILITY' },
    });
    await expect(openai.embeddings.create({ model: 'triage', input: 'x' })).rejects.toMatchObject({ status: 400 });
  });

  it('answers curl', async () => {
    const body = JSON.stringify({ model: 'triage', messages: [{ role: 'user', content: note }] });
    const { stdout } = await run('curl', [
      '-sS',
      `${baseUrl}/chat/completions`,
      '-H',
      'content-type: application/json',
      '-d',
      body,
    ]);
    expect(stdout).toMatch(triageLine);
  });

  it('runs the example, and the example is what the readme shows', async () => {
    const repository = join(import.meta.dirname, '../../..');
    const example = join(repository, 'examples/openai.ts');
    const env = { ...process.env, FASTNESS_HOME: home, FASTNESS_URL: String(eventsOf('relay-started')[0]?.['url']) };
    const { stdout, stderr } = await run(process.execPath, ['--conditions=source', example], { env });
    expect(stdout).toMatch(triageLine);
    expect(stderr).toContain('verified: SIMULATED');
    expect(stderr).toContain('receipt over response');
    const readme = await readFile(join(repository, 'README.md'), 'utf8');
    const snippet = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const source = await readFile(example, 'utf8');
    // Its last line makes the client that the example goes on to use; the first ones are its imports.
    for (const line of snippet
      .trim()
      .split('\n')
      .filter((text) => /^(?:import|const openai)/.test(text)))
      expect(source).toContain(line);
  });

  it('runs the example of errors, which the page about the client tells of', async () => {
    const repository = join(import.meta.dirname, '../../..');
    const env = { ...process.env, FASTNESS_HOME: home, FASTNESS_URL: String(eventsOf('relay-started')[0]?.['url']) };
    const example = join(repository, 'examples/errors.ts');
    const { stdout } = await run(process.execPath, ['--conditions=source', example], { env });
    const [answer, image, nobody] = stdout.trim().split('\n');
    expect(answer).toMatch(triageLine);
    expect(image).toBe('another image: review-policy (CLIENT_MEASUREMENT_UNLISTED)');
    expect(nobody).toBe('no relay: try-later (CLIENT_UNREACHABLE)');
    const page = await readFile(join(repository, 'docs/client.md'), 'utf8');
    const source = await readFile(example, 'utf8');
    const snippet = /```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const lines = snippet.split('\n').map((line) => line.replace(/^const client = /, '').trim());
    for (const line of lines) expect(source).toContain(line.replace(/;$/, ''));
  });

  it('gives errors in the shape that OpenAI clients read', async () => {
    const openai = new OpenAI({ apiKey: 'unused', baseURL: baseUrl, maxRetries: 0 });
    const attempt = openai.chat.completions.create({ model: 'nothing', messages: [{ role: 'user', content: note }] });
    await expect(attempt).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it('refuses a page that reaches the proxy under another host name', async () => {
    const { stdout } = await run('curl', ['-sS', '-H', 'host: attacker.example', `${baseUrl}/models`]);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'CLI_PROXY_ORIGIN' } });
  });

  it('keeps a receipt that verifies offline, with the request, and fails with another request', async () => {
    const receipts = join(home, 'receipts');
    const files = await readdir(receipts);
    expect(
      files.filter((file) => !file.endsWith('.receipt.json')),
      'bodies kept without being asked',
    ).toEqual([]);
    const relay = String(eventsOf('relay-started')[0]?.['url']);
    const chatted = await runCli(home, ['chat', '--keep', '--url', relay], note);
    expect(chatted.exitCode).toBe(0);
    const name = String(chatted.events.find((event) => event['event'] === 'answered')?.['receipt']).slice(
      receipts.length + 1,
    );
    const [request, response] = ['request', 'response'].map((kind) =>
      join(receipts, name.replace('receipt.json', kind)),
    );
    const good = await runCli(home, [
      'verify',
      join(receipts, name),
      '--request',
      request ?? '',
      '--response',
      response ?? '',
    ]);
    expect(good.exitCode).toBe(0);
    expect(good.events.at(-1)).toMatchObject({
      event: 'receipt-verified',
      compared: { request: true, response: true },
    });
    const bad = await runCli(home, ['verify', join(receipts, name), '--request', join(home, 'config.json')]);
    expect(bad.code).toBe('CLIENT_RECEIPT_REQUEST');
    expect(bad.exitCode).toBe(4);
    const inspected = await runCli(home, ['inspect', join(receipts, name)]);
    expect(inspected.events[0]).toMatchObject({ kind: 'fastness/receipt/v1', verified: false });
  });

  it.each([
    ['Ctrl-C', 'SIGINT' as const, 130],
    ['kill -9', 'SIGKILL' as const, null],
  ])(
    'leaves nothing running after %s',
    async (name, signal, exitCode) => {
      const other = startCli(join(folder, name.replaceAll(' ', '')), ['up', '--any-port']);
      await other.waitFor((event) => event['event'] === 'enclave-started', 150_000);
      const pids = other.events.flatMap((event) => (typeof event['pid'] === 'number' ? [event['pid']] : []));
      expect((await other.stop(signal)).exitCode).toBe(exitCode);
      expect(pids.length).toBeGreaterThan(1);
      const running = async (): Promise<unknown[]> =>
        (await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)))).filter(
          Boolean,
        );
      // Services of a parent that was killed stop by themselves, a moment later.
      await expect.poll(running, { timeout: 60_000 }).toEqual([]);
    },
    180_000,
  );
});
