import { Command, Help, type Option } from 'commander';
import { programVersion } from './support/version.ts';

/**
 * The commands by what they are for, each group in the order of the chain, so that --help reads as a guide. A command's
 * module is loaded when it is needed: all of them together take a second.
 */
export const commandGroups: Readonly<Record<string, Readonly<Record<string, () => Promise<Command>>>>> = Object.freeze({
  'Try it:': {
    up: async () => (await import('./commands/up.ts')).upCommand(),
  },
  'Owners of models:': {
    init: async () => (await import('./commands/init.ts')).initCommand(),
    seal: async () => (await import('./commands/seal.ts')).sealCommand(),
    tenants: async () => (await import('./commands/tenants.ts')).tenantsCommand(),
    sign: async () => (await import('./commands/sign.ts')).signCommand(),
    approve: async () => (await import('./commands/approve.ts')).approveCommand(),
    publish: async () => (await import('./commands/publish.ts')).publishCommand(),
    revoke: async () => (await import('./commands/revoke.ts')).revokeCommand(),
    rotate: async () => (await import('./commands/rotate.ts')).rotateCommand(),
    owners: async () => (await import('./commands/owners.ts')).ownersCommand(),
    keys: async () => (await import('./commands/keys.ts')).keysCommand(),
  },
  'Services:': {
    broker: async () => (await import('./commands/broker.ts')).brokerCommand(),
    enclave: async () => (await import('./commands/enclave.ts')).enclaveCommand(),
    relay: async () => (await import('./commands/relay.ts')).relayCommand(),
    console: async () => (await import('./commands/console.ts')).consoleCommand(),
    tls: async () => (await import('./commands/tls.ts')).tlsCommand(),
  },
  'Users of models:': {
    verify: async () => (await import('./commands/verify.ts')).verifyCommand(),
    chat: async () => (await import('./commands/chat.ts')).chatCommand(),
    proxy: async () => (await import('./commands/proxy.ts')).proxyCommand(),
    receipt: async () => (await import('./commands/receipt.ts')).receiptCommand(),
  },
  'Whoever runs a broker:': {
    whoami: async () => (await import('./commands/whoami.ts')).whoamiCommand(),
    proposal: async () => (await import('./commands/proposal.ts')).proposalCommand(),
    log: async () => (await import('./commands/log.ts')).logCommand(),
    freshness: async () => (await import('./commands/freshness.ts')).freshnessCommand(),
    card: async () => (await import('./commands/card.ts')).cardCommand(),
  },
  'Evidence of any TEE:': {
    attest: async () => (await import('./commands/attest.ts')).attestCommand(),
    policy: async () => (await import('./commands/policy.ts')).policyCommand(),
    endorsements: async () => (await import('./commands/endorsements.ts')).endorsementsCommand(),
    inspect: async () => (await import('./commands/inspect.ts')).inspectCommand(),
  },
  'Machines and images:': {
    doctor: async () => (await import('./commands/doctor.ts')).doctorCommand(),
    measure: async () => (await import('./commands/measure.ts')).measureCommand(),
    disk: async () => (await import('./commands/disk.ts')).diskCommand(),
    'vsock-proxy': async () => (await import('./commands/vsock-proxy.ts')).vsockProxyCommand(),
  },
});

/** `fastness` with the commands that `argv` may mean: those whose names stand in it, or all where none does. */
export async function createProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('fastness')
    .description('Sealed models, verified enclaves, confidential inference. Start with `fastness up`.')
    .version(programVersion)
    .option('--home <folder>', 'folder of keys, policies, sealed models and state', '.fastness')
    .option('--json', 'print one JSON object a line on standard output')
    .commandsGroup('Try it:')
    .showHelpAfterError('Add --help to see what it takes.')
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text) })
    .configureHelp({ showGlobalOptions: true, optionDescription })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 2 usage, 3 not of this format, 4 invalid or forged, 5 refused by policy, 6 credential,\n' +
        '7 unavailable, 8 conflict, 9 limit, 70 fault of Fastness, 130 interrupted.',
    );
  const entries = Object.entries(commandGroups).flatMap(([group, commands]) =>
    Object.entries(commands).map(([name, make]) => ({ group, name, make })),
  );
  const named = entries.filter(({ name }) => argv.includes(name));
  for (const { group, make } of named.length > 0 ? named : entries) {
    program.addCommand(settled(await make(), program).helpGroup(group));
  }
  return program;
}

/** Exit, output and help as the program has them, in the command and everything below it. */
function settled(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent).helpCommand(false);
  for (const subcommand of command.commands) settled(subcommand, command);
  return command;
}

/** commander says nothing of options that have to be given. */
function optionDescription(option: Option): string {
  const description = new Help().optionDescription(option);
  return option.mandatory ? `${description} (required)` : description;
}
