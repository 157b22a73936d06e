import { FastnessError } from '@fastness/codec/errors';
import { readConfig } from './config.ts';
import { startEnclave } from './enclave.ts';
import { createLog, errorFields } from './log.ts';
import { hardenProcess } from './memory/index.ts';

// The process of an enclave: `main.ts CONFIG.json`. Exit code 0 after SIGTERM or SIGINT, else that of the error's class.

const log = createLog((line) => process.stderr.write(line));

function end(error: unknown): void {
  const known =
    error instanceof FastnessError ? error : new FastnessError('ENCLAVE_UNFORESEEN', undefined, { cause: error });
  log('error', 'ended', { ...errorFields(known), next: known.next });
  process.exitCode = known.exitCode;
}

// What was thrown could quote anything, so only its kind is told.
process.on('uncaughtException', (error) => {
  log('error', 'unforeseen', errorFields(error));
  process.exit(70);
});

// Node prints warnings (about experimental cryptography, for one) as text; here every line is JSON.
process.removeAllListeners('warning');
process.on('warning', ({ name }) => log('info', 'node-warning', { detail: name }));

try {
  const [file, ...more] = process.argv.slice(2);
  if (file === undefined || more.length > 0) throw new FastnessError('ENCLAVE_CONFIG', 'Usage: main.ts CONFIG.json');
  const config = readConfig(file);
  const hardening = hardenProcess({ waivers: config.waivers });
  log('info', 'hardened', { ...hardening });
  const enclave = await startEnclave({ config, hardening, log });
  // Not `once`: a package below llama.cpp kills the process itself when nobody else listens any more.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void enclave.close());
  const reason = await enclave.ended;
  if (reason !== undefined) end(reason);
} catch (error) {
  end(error);
}
// Native threads of an engine must not keep a stopped enclave alive.
process.exit();
