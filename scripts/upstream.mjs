// `npm run test:upstream`: builds llama-server from the sources that node-llama-cpp carries (a few minutes, once; kept in
// the temporary folder, or in FASTNESS_BUILD_DIR) and runs the tests that put it next to an enclave.
// FASTNESS_LLAMA_SERVER names one that is built already; it must not need libraries outside the system's.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { childEnvironment, installDependencies, nodeBinary, root } from './install.mjs';

const run = (program, args, options = {}) => {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (error !== undefined) process.stderr.write(`${program}: ${error.message}. Is it installed?\n`);
  if (status !== 0) process.exit(status ?? 70);
};

installDependencies();
const folder = process.env.FASTNESS_BUILD_DIR ?? join(tmpdir(), 'fastness-llama-server');
const server = process.env.FASTNESS_LLAMA_SERVER ?? join(folder, 'build/bin/llama-server');
if (!existsSync(server)) {
  const source = join(folder, 'source');
  if (!existsSync(join(source, 'CMakeLists.txt'))) {
    run('git', ['clone', '--quiet', join(root, 'node_modules/node-llama-cpp/llama/gitRelease.bundle'), source]);
  }
  // One program, with nothing beside it: its digest says all.
  const options = [
    'BUILD_SHARED_LIBS=OFF',
    'GGML_OPENMP=OFF',
    'LLAMA_CURL=OFF',
    'LLAMA_OPENSSL=OFF',
    'LLAMA_BUILD_TESTS=OFF',
  ];
  run('nice', [
    'cmake',
    `-S${source}`,
    `-B${join(folder, 'build')}`,
    '-DCMAKE_BUILD_TYPE=Release',
    '-DLLAMA_BUILD_EXAMPLES=OFF',
    ...options.map((option) => `-D${option}`),
  ]);
  // Without a number make starts as many compilers as there are files, and each of them takes up to 2 GiB.
  const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / 2 ** 31)));
  run('nice', ['cmake', '--build', join(folder, 'build'), '--target', 'llama-server', '--parallel', String(jobs)]);
}
run(nodeBinary(), [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'apps/enclave/test/upstream-real.test.ts'], {
  cwd: root,
  env: { ...childEnvironment(), FASTNESS_LLAMA_SERVER: server },
});
