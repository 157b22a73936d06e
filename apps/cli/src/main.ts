#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { createOutput } from './support/output.ts';
import { printError } from './support/run.ts';
import { programVersion } from './support/version.ts';

// A reader that has seen enough (`fastness ... | head`) is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const program = new Command('fastness')
  .description('Sealed models, verified enclaves, confidential inference. Start with `fastness up`.')
  .version(programVersion)
  .option('--home <folder>', 'folder of keys, policies, sealed models and state', '.fastness')
  .option('--json', 'print one JSON object a line on standard output')
  .exitOverride()
  .configureOutput({ writeErr: (text) => process.stderr.write(text) })
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 2 usage, 3 not of this format, 4 invalid or forged, 5 refused by policy, 6 credential,\n' +
      '7 unavailable, 8 conflict, 9 limit, 70 fault of Fastness, 130 interrupted.',
  );

/** In the order of the chain, so that --help reads as a guide. A command's module is loaded when it is named. */
const commands: Record<string, () => Promise<Command>> = {
  up: async () => (await import('./commands/up.ts')).upCommand(),
  init: async () => (await import('./commands/init.ts')).initCommand(),
  seal: async () => (await import('./commands/seal.ts')).sealCommand(),
  sign: async () => (await import('./commands/sign.ts')).signCommand(),
  tenants: async () => (await import('./commands/tenants.ts')).tenantsCommand(),
  approve: async () => (await import('./commands/approve.ts')).approveCommand(),
  broker: async () => (await import('./commands/broker.ts')).brokerCommand(),
  freshness: async () => (await import('./commands/freshness.ts')).freshnessCommand(),
  card: async () => (await import('./commands/card.ts')).cardCommand(),
  publish: async () => (await import('./commands/publish.ts')).publishCommand(),
  enclave: async () => (await import('./commands/enclave.ts')).enclaveCommand(),
  relay: async () => (await import('./commands/relay.ts')).relayCommand(),
  verify: async () => (await import('./commands/verify.ts')).verifyCommand(),
  chat: async () => (await import('./commands/chat.ts')).chatCommand(),
  proxy: async () => (await import('./commands/proxy.ts')).proxyCommand(),
  receipt: async () => (await import('./commands/receipt.ts')).receiptCommand(),
  tls: async () => (await import('./commands/tls.ts')).tlsCommand(),
  console: async () => (await import('./commands/console.ts')).consoleCommand(),
  log: async () => (await import('./commands/log.ts')).logCommand(),
  keys: async () => (await import('./commands/keys.ts')).keysCommand(),
  owners: async () => (await import('./commands/owners.ts')).ownersCommand(),
  proposal: async () => (await import('./commands/proposal.ts')).proposalCommand(),
  rotate: async () => (await import('./commands/rotate.ts')).rotateCommand(),
  whoami: async () => (await import('./commands/whoami.ts')).whoamiCommand(),
  revoke: async () => (await import('./commands/revoke.ts')).revokeCommand(),
  attest: async () => (await import('./commands/attest.ts')).attestCommand(),
  policy: async () => (await import('./commands/policy.ts')).policyCommand(),
  endorsements: async () => (await import('./commands/endorsements.ts')).endorsementsCommand(),
  inspect: async () => (await import('./commands/inspect.ts')).inspectCommand(),
  measure: async () => (await import('./commands/measure.ts')).measureCommand(),
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand(),
  disk: async () => (await import('./commands/disk.ts')).diskCommand(),
  'vsock-proxy': async () => (await import('./commands/vsock-proxy.ts')).vsockProxyCommand(),
};
const named = Object.keys(commands).filter((name) => process.argv.includes(name));
for (const name of named.length > 0 && !process.argv.includes('help') ? named : Object.keys(commands)) {
  const command = await commands[name]?.();
  if (command === undefined) continue;
  for (const subcommand of command.commands) subcommand.exitOverride();
  program.addCommand(command.exitOverride());
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
