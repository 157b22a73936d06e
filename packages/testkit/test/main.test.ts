import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measureImage, simulatedTrust } from '@fastness/testkit/simulated-tee';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from './support.ts';

const folder = await temporaryFolder();
const stateDir = join(folder, 'state');
const socketPath = join(folder, 'tee.sock');
const program = join(import.meta.dirname, '../src/simulated-tee/main.ts');
const image = ['--image', 'support.ts', '--root', import.meta.dirname];
const measurement = await measureImage(['support.ts'], { root: import.meta.dirname });
const { arkSpkiSha256 } = await simulatedTrust(stateDir, { rsaBits: 2048 });

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function run(
  args: readonly string[],
  onOutput?: (out: string, kill: (signal: NodeJS.Signals) => void) => void,
): Promise<Outcome> {
  const environment = {
    ...process.env,
    TZ: 'UTC',
    NODE_OPTIONS: '--no-warnings',
    LD_FASTNESS_TEST: '1',
    GGML_BACKEND_PATH: '/nonexistent.so',
    ANYTHING: '1',
  };
  const child = spawn(process.execPath, ['--conditions=source', program, ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.out += text;
    onOutput?.(texts.out, (signal) => child.kill(signal));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.err += text;
    onOutput?.(texts.err, (signal) => child.kill(signal));
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, ...texts };
}

async function script(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}
const running = ['--state', stateDir, '--socket', socketPath, ...image];

describe('the program', () => {
  test('prints the measurement and starts nothing', async () => {
    const { code, out } = await run(['--print-measurement', ...image]);
    expect([code, out]).toEqual([0, `${measurement}\n`]);
    const withState = await run(['--print-measurement', '--state', stateDir, ...image]);
    expect(JSON.parse(withState.out)).toEqual({ measurement, arkSpkiSha256 });
    expect(existsSync(socketPath)).toBe(false);
  });

  test('runs a command inside: socket, environment, output and exit code', async () => {
    const text = `
      import { connect } from 'node:net';
      const { FASTNESS_SIMULATED_TEE, TZ } = process.env;
      const names = Object.keys(process.env).filter((name) => !['PATH', 'LANG'].includes(name)).sort();
      const socket = connect(FASTNESS_SIMULATED_TEE);
      socket.write(JSON.stringify({ op: 'report', reportData: '00'.repeat(64) }) + '\\n');
      let answer = '';
      for await (const chunk of socket) answer += chunk;
      console.log(JSON.stringify([JSON.parse(answer).evidence[0], names, TZ, ...process.argv.slice(2)]));
      process.exitCode = 7;`;
    const path = await script('child.mjs', text);
    const { code, out, err } = await run([...running, '--', process.execPath, path, '--state', 'x']);
    expect(err).toContain('SIMULATED TEE: no hardware protects anything here');
    expect(JSON.parse(out)).toEqual([
      'application/vnd.fastness.simulated-sev-snp+cbor',
      ['FASTNESS_SIMULATED_TEE', 'TZ'],
      'UTC',
      '--state',
      'x',
    ]);
    expect(code).toBe(7);
    expect(existsSync(socketPath)).toBe(false);
  });

  test('passes signals on and waits for the command', async () => {
    const path = await script(
      'waits.mjs',
      `process.on('SIGTERM', () => { console.log('stopping'); process.exit(3); }); setInterval(() => {}, 1000); console.log('ready');`,
    );
    const { code, out } = await run([...running, '--', process.execPath, path], (text, kill) => {
      if (text.trim() === 'ready') kill('SIGTERM');
    });
    expect([code, out]).toEqual([3, 'ready\nstopping\n']);
  });

  test('reports a command that a signal ended, or that does not exist', async () => {
    const path = await script('dies.mjs', `process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);`);
    expect((await run([...running, '--', process.execPath, path])).code).toBe(137);
    const missing = await run([...running, '--', join(folder, 'nothing')]);
    expect([missing.code, missing.err]).toEqual([7, expect.stringContaining('TESTKIT_COMMAND')]);
  });

  test('without a command it serves until it is told to stop', async () => {
    const { code, err } = await run(running, (text, kill) => {
      if (text.includes('measurement')) kill('SIGINT');
    });
    expect([code, err]).toEqual([0, expect.stringContaining(measurement)]);
    expect(existsSync(socketPath)).toBe(false);
  });

  test.each([
    ['nothing', []],
    ['no image', ['--state', 'x', '--socket', 'y']],
    ['no socket', ['--state', 'x', ...image]],
    ['no state', ['--socket', 'x', ...image]],
    ['an unknown option', [...running, '--debug']],
    ['a stray argument', [...running, 'stray']],
    ['no command after --', [...running, '--']],
    ['a command with --print-measurement', ['--print-measurement', ...image, '--', 'true']],
  ])('refuses %s', async (_, args) => {
    const { code, err } = await run(args);
    expect([code, err]).toEqual([2, expect.stringMatching(/TESTKIT_USAGE[^]*usage: simulated-tee/)]);
  });
});
