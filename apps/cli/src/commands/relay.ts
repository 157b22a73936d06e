import { Command, Option } from 'commander';
import { startRelay } from '@fastness/relay';
import { action } from '../support/command.ts';
import { readHomeConfig } from '../support/home.ts';
import { listenAddress } from '../support/listen.ts';
import { collect } from '../support/option-values.ts';
import { untilAborted } from '../support/run.ts';

interface RelayOptions {
  readonly listen?: string;
  readonly upstream?: string;
  readonly record?: string;
  readonly allowOrigin: string[];
}

export function relayCommand(): Command {
  return new Command('relay')
    .description('run the untrusted relay: it forwards ciphertext and hides the clients’ addresses from the enclave')
    .option('--listen <url>', "address to listen on (default: the home's relayUrl)")
    .option('--upstream <url>', "the enclave (default: the home's enclaveUrl)")
    .addOption(
      new Option('--allow-origin <origin>', 'web origin whose pages may use this relay, repeatable')
        .argParser(collect)
        .default([], 'none'),
    )
    .option('--record <file>', 'write every byte that the relay sees to a file, to check what it can learn')
    .action(
      action<RelayOptions>(async ({ home, output, signal }, options) => {
        const config = await readHomeConfig(home);
        const relay = await startRelay({
          listen: listenAddress(options.listen ?? config.relayUrl),
          upstream: options.upstream ?? config.enclaveUrl,
          allowedOrigins: options.allowOrigin,
          ...(options.record === undefined ? {} : { recordPath: options.record }),
        });
        output.step('listening', `Relay on ${relay.url}, forwarding to ${options.upstream ?? config.enclaveUrl}`, {
          url: relay.url,
        });
        await untilAborted(signal);
        await relay.close();
      }),
    );
}
