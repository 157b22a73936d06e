import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { chat, clientOf } from './support/client.ts';
import { createWorld, startStack, type World } from './support/world.ts';

// The operator starts the process and writes its environment. llama.cpp opens the library that GGML_BACKEND_PATH names:
// code of the host, inside the enclave, behind an honest measurement.

function compiler(): string | undefined {
  for (const name of ['gcc', 'cc', 'clang']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // The next one.
    }
  }
  return undefined;
}

const cc = process.platform === 'linux' ? compiler() : undefined;
const root = fileURLToPath(new URL('..', import.meta.url));
const node = ['--disable-warning=ExperimentalWarning', '--conditions=source'];

// Without a C compiler there is no library to load; the refusals themselves are tested in apps/enclave as well.
describe.skipIf(cc === undefined)('an environment that names a library of the operator', { timeout: 600_000 }, () => {
  let world: World;
  let folder: string;
  let library: string;
  let witness: string;

  beforeAll(async () => {
    world = await createWorld();
    folder = await mkdtemp(join(tmpdir(), 'fastness-evil-'));
    library = join(folder, 'evil.so');
    witness = join(folder, 'ran');
    const source = join(folder, 'evil.c');
    await writeFile(
      source,
      `#include <stdio.h>
       __attribute__((constructor)) static void run(void) { FILE *f = fopen(${JSON.stringify(witness)}, "a"); if (f) { fputs("ran\\n", f); fclose(f); } }
       void *ggml_backend_init(void) { return 0; }`,
    );
    execFileSync(cc ?? '', ['-shared', '-fPIC', '-o', library, source]);
  }, 120_000);
  afterEach(() => rm(witness, { force: true }));
  afterAll(async () => {
    await world.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  /** Starts the program of the enclave with the environment and options that the operator likes. */
  const enclaveWith = async (environment: Record<string, string>, options = node): Promise<unknown> => {
    const config = join(folder, 'enclave.json');
    await writeFile(
      config,
      JSON.stringify({ listen: { port: 0 }, brokerUrl: 'http://127.0.0.1:9', modelDir: world.modelDir }),
    );
    const main = join(root, 'apps/enclave/src/main.ts');
    const child = spawn(process.execPath, [...options, main, config], {
      env: { PATH: process.env['PATH'] ?? '', ...environment },
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
    await new Promise((resolve) => child.once('close', resolve));
    const line = text.split('\n').findLast((entry) => entry.startsWith('{')) ?? '{}';
    return (JSON.parse(line) as { code?: unknown }).code;
  };

  it('the engine would run the library', () => {
    const llama = JSON.stringify(join(root, 'apps/enclave/src/engine/llama.ts'));
    const script = join(folder, 'engine.mjs');
    writeFileSync(script, `const { llamaRuntime } = await import(${llama}); await llamaRuntime(); process.exit();`);
    spawnSync(process.execPath, ['--conditions=source', script], {
      env: { PATH: process.env['PATH'] ?? '', GGML_BACKEND_PATH: library },
    });
    expect(existsSync(witness)).toBe(true);
  });

  it.each(['GGML_BACKEND_PATH', 'LLAMA_BACKEND_PATH', 'ORT_DYLIB_PATH', 'GCONV_PATH'])(
    '%s is refused by the enclave, and nothing of it runs',
    async (name) => {
      expect(await enclaveWith({ [name]: library })).toBe('ENCLAVE_ENVIRONMENT');
      expect(existsSync(witness)).toBe(false);
    },
  );

  it.each([
    ['--import', '--import=data:text/javascript,0'],
    ['--heap_prof', '--heap_prof'],
    ['--inspect', '--inspect=127.0.0.1:0'],
    ['--conditions', '--conditions=evil'],
  ])('%s on the command line is refused by the enclave', async (_name, option) => {
    expect(await enclaveWith({}, [...node, option])).toBe('ENCLAVE_COMMAND_LINE');
  });

  it('does not pass through the simulated TEE: the enclave serves, and nothing of it runs', async () => {
    const variables = ['GGML_BACKEND_PATH', 'LLAMA_BACKEND_PATH', 'GCONV_PATH'];
    for (const name of variables) process.env[name] = library;
    try {
      const { relay } = await startStack(world);
      expect(await chat(await clientOf(world, { url: relay.url }), 'pump 4 leaks')).toContain('[DONE]');
    } finally {
      for (const name of variables) Reflect.deleteProperty(process.env, name);
    }
    expect(existsSync(witness)).toBe(false);
  });
});
