import { spawn } from 'node:child_process';
import { chmodSync, chownSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { kernelCalls } from '../src/confine/kernel-calls.ts';
import type { EnclaveConfigInput } from '../src/config.ts';
import { hasModels, heldOut, triageFile } from './models.ts';
import { connect } from './running.ts';
import { createWorld, type World } from './world.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

const lineSchema = z.looseObject({ event: z.string() });
type Line = z.infer<typeof lineSchema>;
const answerSchema = z.looseObject({
  choices: z.array(z.looseObject({ message: z.looseObject({ content: z.string() }) })),
});

/** The enclave as the measured image runs it: a process of its own, started with a configuration file. */
function startProcess(
  world: World,
  changes: Partial<EnclaveConfigInput> = {},
  user: { uid?: number; gid?: number } = {},
) {
  const file = join(world.directory, 'enclave.json');
  writeFileSync(file, JSON.stringify(world.config(changes)));
  const child = spawn(process.execPath, ['--conditions=source', main, file], {
    cwd: world.directory,
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  });
  const lines: string[] = [];
  const seen = new Set<() => void>();
  let rest = '';
  child.stderr.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    for (const check of seen) check();
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const parsed = (): Line[] => lines.map((line) => lineSchema.parse(JSON.parse(line)));
  return {
    pid: child.pid ?? -1,
    lines,
    parsed,
    output: () => output,
    ended,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    event: (name: string) =>
      new Promise<Line>((resolve, reject) => {
        const check = (): void => {
          const line = parsed().find(({ event }) => event === name);
          if (line === undefined) return;
          seen.delete(check);
          resolve(line);
        };
        seen.add(check);
        void ended.then(() => reject(new Error(`ended: ${lines.join('\n')}`)));
        check();
      }),
  };
}

describe.skipIf(!hasModels)('the process of an enclave', () => {
  let world: World;
  const { note } = hasModels ? heldOut() : { note: '' };
  beforeAll(async () => {
    world = await createWorld({ source: triageFile, engine: 'llama', task: 'generate' });
    await world.startBroker();
    await world.register();
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const ask = async (url: string) => {
    const channel = await connect(url, world);
    const response = await channel.fetch('https://enclave.invalid/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'triage', messages: [{ role: 'user', content: note }], temperature: 0 }),
    });
    return answerSchema.parse(await response.json());
  };

  it('hardens itself, serves, writes nothing but JSON lines, and ends on SIGTERM', async () => {
    const enclave = startProcess(world);
    expect(await enclave.event('hardened')).toMatchObject({ dumpable: false, coreLimit: 0, debuggable: false });
    expect(await enclave.event('confined')).toMatchObject({
      calls: true,
      files: kernelCalls().landlockVersion(),
    });
    expect(await enclave.event('confined-to-engine')).toMatchObject({ engine: 'llama', noPrograms: true });
    const { url } = await enclave.event('listening');
    await enclave.event('serving');
    // Filters of calls are in force in every thread, the engine's among them.
    const filtered = readdirSync(`/proc/${enclave.pid}/task`).flatMap((task) => {
      try {
        return [/^Seccomp:\t(\d)$/mu.exec(readFileSync(`/proc/${enclave.pid}/task/${task}/status`, 'utf8'))?.[1]];
      } catch {
        // A thread that ended meanwhile.
        return [];
      }
    });
    expect([...new Set(filtered)]).toEqual(['2']);
    const answer = await ask(String(url));
    expect(answer.choices[0]?.message.content).toMatch(/^level=/u);
    enclave.kill('SIGTERM');
    expect(await enclave.ended).toBe(0);
    expect(enclave.output()).toBe('');
    expect(enclave.lines.join('\n')).not.toContain(note.slice(0, 20));
  });

  it('leaves no plaintext in a file that has a name', async () => {
    const enclave = startProcess(world);
    await enclave.event('serving');
    const maps = readFileSync(`/proc/${enclave.pid}/maps`, 'utf8');
    expect(maps).toContain('/memfd:fastness-model (deleted)');
    const needle = readFileSync(triageFile).subarray(0, 4096);
    const open = readdirSync(`/proc/${enclave.pid}/fd`).length;
    expect(open).toBeGreaterThan(0);
    for (const entry of readdirSync(world.directory, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) expect(readFileSync(join(entry.parentPath, entry.name)).includes(needle)).toBe(false);
    }
    enclave.kill('SIGKILL');
    await enclave.ended;
  });

  it.skipIf(process.getuid?.() !== 0)(
    'serves as an unprivileged user, whose other processes cannot look inside',
    async () => {
      for (const path of [world.directory, world.tee.socketPath]) chmodSync(path, 0o777);
      for (const path of readdirSync(world.modelDir, { recursive: true }))
        chownSync(join(world.modelDir, String(path)), 65534, 65534);
      chownSync(world.modelDir, 65534, 65534);
      const enclave = startProcess(world, {}, { uid: 65534, gid: 65534 });
      const { url } = await enclave.event('listening');
      await enclave.event('serving');
      expect((await ask(String(url))).choices[0]?.message.content).toMatch(/^level=/u);
      for (const path of ['mem', 'environ', 'fd', 'maps']) {
        const look = spawn(
          'sh',
          ['-c', `ls /proc/${enclave.pid}/${path}/ >/dev/null 2>&1 || head -c1 /proc/${enclave.pid}/${path}`],
          {
            uid: 65534,
            gid: 65534,
            stdio: 'ignore',
          },
        );
        expect(await new Promise((resolve) => look.once('exit', resolve)), path).not.toBe(0);
      }
      enclave.kill('SIGTERM');
      expect(await enclave.ended).toBe(0);
    },
  );

  it('tells its host no word of an engine that does not load the model', async () => {
    const source = join(world.directory, 'cut.gguf');
    writeFileSync(source, readFileSync(triageFile).subarray(0, 500_000));
    const other = await createWorld({ source, engine: 'llama', task: 'generate' });
    await other.startBroker();
    await other.register();
    const enclave = startProcess(other);
    expect(await enclave.ended).not.toBe(0);
    // The engine would name a tensor; its native code writes to standard error by itself if it is let.
    expect(enclave.lines.join('\n')).not.toMatch(/tensor|bounds/u);
    expect(enclave.parsed().at(-1)).toMatchObject({ event: 'ended', code: 'MODEL_DOES_NOT_LOAD' });
    expect(enclave.parsed().at(-1)).not.toHaveProperty('detail');
    await other[Symbol.asyncDispose]();
  });

  it('ends with the exit code of the error’s class', async () => {
    const missing = spawn(process.execPath, ['--conditions=source', main, '/nonexistent.json'], {
      env: {},
      stdio: 'ignore',
    });
    expect(await new Promise((resolve) => missing.once('exit', resolve))).toBe(2);
    const none = startProcess(world, { modelDir: join(world.directory, 'none') });
    expect(await none.ended).not.toBe(0);
    expect(none.parsed().at(-1)).toMatchObject({ event: 'ended', code: 'OMS_IO' });
  });
});
