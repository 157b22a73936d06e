import './errors.ts';
import { FastnessError } from '@fastness/codec/errors';
import { createLog, errorFields } from './log.ts';
import { configFileOf } from './start/command-line.ts';
import { fixEnvironment } from './start/environment.ts';

// The process of an enclave: `main.ts CONFIG.json`. Exit code 0 after SIGTERM or SIGINT, else that of the error's class.

const log = createLog((line) => process.stderr.write(line));

// What was thrown could quote anything, so only its kind is told.
process.on('uncaughtException', (error) => {
  log('error', 'unforeseen', errorFields(error));
  process.exit(70);
});

// Node prints warnings (about experimental cryptography, for one) as text; here every line is JSON.
process.removeAllListeners('warning');
process.on('warning', ({ name }) => log('info', 'node-warning', { detail: name }));

try {
  const file = configFileOf();
  fixEnvironment();
  // Only now: what this brings in loads native libraries, and they read the environment.
  const { runProcess } = await import('./start/run-process.ts');
  await runProcess(file, log);
} catch (error) {
  const known =
    error instanceof FastnessError ? error : new FastnessError('ENCLAVE_UNFORESEEN', undefined, { cause: error });
  log('error', 'ended', { ...errorFields(known), next: known.next });
  process.exitCode = known.exitCode;
}
// Native threads of an engine must not keep a stopped enclave alive.
process.exit();
