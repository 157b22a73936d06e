#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { approveCommand } from './commands/approve.ts';
import { brokerCommand } from './commands/broker.ts';
import { chatCommand } from './commands/chat.ts';
import { enclaveCommand } from './commands/enclave.ts';
import { initCommand } from './commands/init.ts';
import { inspectCommand } from './commands/inspect.ts';
import { proxyCommand } from './commands/proxy.ts';
import { publishCommand } from './commands/publish.ts';
import { relayCommand } from './commands/relay.ts';
import { revokeCommand } from './commands/revoke.ts';
import { sealCommand } from './commands/seal.ts';
import { signCommand } from './commands/sign.ts';
import { upCommand } from './commands/up.ts';
import { verifyCommand } from './commands/verify.ts';
import { createOutput } from './support/output.ts';
import { printError } from './support/run.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('fastness')
  .description('Sealed models, verified enclaves, confidential inference. Start with `fastness up`.')
  .version(version)
  .option('--home <folder>', 'folder of keys, policies, sealed models and state', '.fastness')
  .option('--json', 'print one JSON object a line on standard output')
  .exitOverride()
  .configureOutput({ writeErr: (text) => process.stderr.write(text) })
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 2 usage, 3 not of this format, 4 invalid or forged, 5 refused by policy, 6 credential,\n' +
      '7 unavailable, 8 conflict, 9 limit, 70 fault of Fastness, 130 interrupted.',
  );

// The order of the chain, so that --help reads as a guide.
for (const command of [
  upCommand,
  initCommand,
  sealCommand,
  signCommand,
  approveCommand,
  brokerCommand,
  publishCommand,
  enclaveCommand,
  relayCommand,
  verifyCommand,
  chatCommand,
  proxyCommand,
  revokeCommand,
  inspectCommand,
]) {
  program.addCommand(command().exitOverride());
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and --version arrive here as well, with exit code 0.
  if (error.exitCode !== 0) {
    const usage = new FastnessError('CLI_USAGE', error.message.replace(/^error: /, ''));
    if (process.argv.includes('--json')) printError(createOutput(true), usage);
    process.exitCode = usage.exitCode;
  }
}
