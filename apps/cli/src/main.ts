#!/usr/bin/env node
import { CommanderError } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { createProgram } from './program.ts';
import { createOutput } from './support/output.ts';
import { printError } from './support/run.ts';

// A reader that has seen enough (`fastness ... | head`) is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await (await createProgram(process.argv.slice(2))).parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and --version arrive here as well, with exit code 0.
  if (error.exitCode !== 0) {
    const usage = new FastnessError('CLI_USAGE', error.message.replace(/^error: /, ''));
    if (process.argv.includes('--json')) printError(createOutput(true), usage);
    process.exitCode = usage.exitCode;
  }
}
