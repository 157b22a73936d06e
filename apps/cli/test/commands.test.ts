import { copyFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun, runCli, startCli } from '../../../attacks/support/cli.ts';
import { clientOf } from '../../../attacks/support/client.ts';
import { createWorld, defaultModel, startStack, type World } from '../../../attacks/support/world.ts';
import { createClient, parseClientPolicy, type ClientPolicy } from '@fastness/client';
import { commandGroups, createProgram } from '../src/program.ts';
import { startProxy } from '../src/commands/proxy.ts';
import { createOutput, plain } from '../src/support/output.ts';
import { formatBytes, parseDuration } from '../src/support/format.ts';

const repository = join(import.meta.dirname, '../../..');
const policyAt = async (home: string): Promise<ClientPolicy> =>
  parseClientPolicy(JSON.parse(await readFile(join(home, 'policy/client.json'), 'utf8')));

describe('the command line', { timeout: 300_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-cli-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('gives help', async () => {
    const help = startCli(folder, ['seal', '--help']);
    let text = '';
    help.child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    expect((await help.ended).exitCode).toBe(0);
    expect(text).toContain('Usage: fastness seal [options] <path>');
    expect(text).toContain('--home <folder>');
  });

  it.each([
    [['nonsense'], 2, 'CLI_USAGE'],
    [['seal'], 2, 'CLI_USAGE'],
    [['sign', '--expires-in', 'soon'], 2, 'CLI_USAGE'],
    [['sign'], 2, 'CLI_HOME_MISSING'],
    [['verify', 'neither-url-nor-file'], 2, 'CLI_USAGE'],
    [['inspect', '/nonexistent'], 2, 'CLI_FILE_UNREADABLE'],
    [['inspect', join(repository, 'package.json')], 3, 'CLI_NOT_RECOGNISED'],
    [['init', '--threshold', '9'], 2, 'CLI_USAGE'],
    [['sign', '--expires-in', '9999999d'], 2, 'CLI_USAGE'],
    [['relay', '--upstream', 'http://127.0.0.1:9'], 2, 'CLI_HOME_MISSING'],
  ])('%j exits with %i and %s', async (args, exitCode, code) => {
    const result = await runCli(join(folder, 'nowhere'), args);
    expect(result).toMatchObject({ exitCode, code });
  });

  it('does not overwrite a home', async () => {
    const home = join(folder, 'home');
    await mustRun(home, ['init']);
    const config = await readFile(join(home, 'config.json'), 'utf8');
    expect((await runCli(home, ['init'])).code).toBe('CLI_HOME_EXISTS');
    expect(await readFile(join(home, 'config.json'), 'utf8')).toBe(config);
    for (const file of ['keys/kek.pass', 'keys/kek.keystore', 'broker/admin.token']) {
      expect(((await stat(join(home, file))).mode & 0o077).toString(8)).toBe('0');
    }
  });

  it('leaves no half-made home when init is killed', async () => {
    const home = join(folder, 'killed');
    const init = startCli(home, ['init']);
    await expect
      .poll(async () => (await readdir(folder)).some((name) => name.startsWith('killed.init-')), { timeout: 60_000 })
      .toBe(true);
    await init.stop('SIGKILL');
    await expect(stat(home)).rejects.toThrow('ENOENT');
    expect((await runCli(home, ['init'])).exitCode).toBe(0);
  });

  it('sends the administrator token in clear to this machine only', async () => {
    const home = join(folder, 'admin');
    await mustRun(home, ['init']);
    const result = await runCli(home, [
      'revoke',
      'release',
      'ab'.repeat(32),
      '--reason',
      'x',
      '--url',
      'http://192.0.2.1:1',
    ]);
    expect(result.code).toBe('CLI_ADMIN_TRANSPORT');
  });

  it('does not take any answer for a confirmation', async () => {
    const home = join(folder, 'admin');
    const server = createServer((_request, response) => response.end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const result = await runCli(home, [
      'revoke',
      'release',
      'ab'.repeat(32),
      '--reason',
      'x',
      '--url',
      `http://127.0.0.1:${port}`,
    ]);
    server.close();
    expect(result.code).toBe('CLI_ADMIN_ANSWER');
  });

  it('does not offer the proxy to other machines unless told to', async () => {
    const home = join(folder, 'admin');
    expect(
      (await runCli(home, ['proxy', '--listen', 'http://0.0.0.0:0', '--url', 'http://127.0.0.1:9'])).exitCode,
    ).not.toBe(0);
    await expect(
      startProxy({
        client: createClient({ url: 'http://127.0.0.1:9', policy: await policyAt(home) }),
        listen: 'http://0.0.0.0:0',
      }),
    ).rejects.toMatchObject({ code: 'CLI_LISTEN_REMOTE' });
  });

  it('refuses models that do not load, before any key is made', async () => {
    const home = join(folder, 'refusals');
    await mustRun(home, ['init']);
    const cut = join(folder, 'cut.gguf');
    await copyFile(defaultModel, cut);
    await truncate(cut, 2_000_000);
    expect((await runCli(home, ['seal', cut])).code).toBe('MODEL_GGUF_TRUNCATED');
    const other = join(folder, 'other.bin');
    await writeFile(other, 'not a model');
    expect((await runCli(home, ['seal', other])).code).toBe('MODEL_FORMAT_UNKNOWN');
    expect((await runCli(home, ['sign'])).code).toBe('CLI_MODEL_MISSING');
  });

  it('runs the commands of the guide', async () => {
    const guide = await readFile(join(repository, 'docs/guide.md'), 'utf8');
    const block = /<!-- run -->\s+```sh\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
    const lines = block.trim().split('\n');
    expect(lines.length).toBeGreaterThan(4);
    const home = join(folder, 'guide');
    for (const line of lines) {
      const [program, ...args] = line
        .replaceAll('.fastness', home)
        .replaceAll('models/triage/', `${repository}/models/triage/`)
        .split(' ');
      expect(program).toBe('fastness');
      // The two paths overlap: what was a path inside the home must not become one inside the repository.
      await mustRun(
        home,
        args.map((arg) => arg.replace(`${home}/${repository}`, home)),
      );
    }
  });
});

describe('an ONNX classifier', { timeout: 300_000 }, () => {
  let world: World;
  afterAll(async () => world.dispose());

  it('is sealed and served like a language model', async () => {
    world = await createWorld({ source: join(repository, 'models/triage-classifier'), modelId: 'triage-classifier' });
    const stack = await startStack(world);
    const client = await clientOf(world, { url: stack.relay.url });
    const post = async (path: string, body: unknown): Promise<unknown> => {
      const response = await client.fetch(`https://enclave.invalid${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return response.json();
    };
    const input = '72F c/o chest pain since this morning. Denies SOB. BP 84/52.';
    const classified = JSON.stringify(await post('/v1/classifications', { model: 'triage-classifier', input }));
    expect(classified).toContain('level-2');
    expect(
      await post('/v1/chat/completions', { model: 'triage-classifier', messages: [{ role: 'user', content: input }] }),
    ).toMatchObject({
      error: { code: 'ENCLAVE_CAPABILITY' },
    });
    for (const service of [stack.relay, stack.enclave, stack.broker]) await service.stop();
    // `up` asks a model what it can answer.
    const up = await mustRun(world.home, ['up', '--once', '--any-port']);
    expect(JSON.stringify(up.events.find((event) => event['event'] === 'answered'))).toContain('level-2');
  });
});

describe('help', async () => {
  const program = await createProgram([]);
  const below = (command: Command): Command[] => [command, ...command.commands.flatMap(below)];
  const commands = below(program);

  it('lists every command under what it is for, as README does', async () => {
    const overview = program.helpInformation();
    const words = (await readFile(join(repository, 'README.md'), 'utf8')).split(/[^a-z-]+/);
    for (const [group, members] of Object.entries(commandGroups)) {
      expect(overview).toContain(`\n${group}\n`);
      for (const name of Object.keys(members)) {
        expect(overview).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
        expect(words).toContain(name);
      }
    }
  });

  it.each(commands.map((command) => [command.name(), command] as const))('%s says what all of it is', (_, command) => {
    expect(command.description()).not.toBe('');
    for (const { description } of command.registeredArguments) expect(description).not.toBe('');
    for (const { long, description } of command.options) {
      expect(description, long).not.toBe('');
      // A secret on the command line is in the list of processes; a file that holds it is not.
      expect(long).not.toMatch(/^--(?:password|passphrase|token|secret)$/);
    }
    // Presets as a person would type them: no JSON, no milliseconds.
    expect(command.helpInformation()).not.toMatch(/default:\s+(?:\[|\d{6})/);
  });
});

describe('output', () => {
  it('shows control characters instead of obeying them', () => {
    expect(plain('a\u001b[2Jb\nc\u202ed')).toBe('a\\u001b[2Jb\nc\\u202ed');
  });

  it('prints JSON lines and nothing else with --json', () => {
    const out: string[] = [];
    const err: string[] = [];
    const output = createOutput(true, {
      out: (text) => out.push(text),
      err: (text) => err.push(text),
      errIsTerminal: false,
    });
    output.step('done', 'Done', { a: 1 });
    output.detail('hidden');
    output.progress('work', 1, 2);
    output.text('hidden');
    output.result({ b: 2 }, ['hidden']);
    expect(out).toEqual(['{"event":"done","a":1}\n', '{"event":"result","b":2}\n']);
    expect(err).toEqual([]);
  });

  it.each([
    ['90d', 7_776_000_000],
    ['45s', 45_000],
    ['0d', undefined],
    ['1w', undefined],
    ['-1d', undefined],
  ])('reads %s as a duration', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each([
    [0, '0 B'],
    [1536, '1.5 KiB'],
    [2 ** 30, '1.0 GiB'],
  ])('writes %i bytes', (bytes, expected) => {
    expect(formatBytes(bytes)).toBe(expected);
  });
});
