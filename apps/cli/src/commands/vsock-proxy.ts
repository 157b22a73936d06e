import { Command, Option } from 'commander';
import { ANY_CID, vsockAddress } from '@fastness/enclave/vsock';
import { action } from '../support/command.ts';
import { wholeNumber } from '../support/option-values.ts';
import { untilAborted } from '../support/run.ts';
import { listenAddress } from '../support/listen.ts';
import { startVsockProxy } from '../support/vsock-proxy.ts';

interface VsockProxyOptions {
  readonly cid: number;
  readonly listen: string;
  readonly broker: string;
  readonly model?: string;
  readonly enclavePort: number;
  readonly brokerPort: number;
  readonly modelPort: number;
}

export function vsockProxyCommand(): Command {
  return new Command('vsock-proxy')
    .description(
      'beside an enclave of AWS Nitro, on the machine that started it: carry bytes between TCP and virtual sockets; it is ' +
        'trusted with nothing',
    )
    .addOption(
      new Option('--cid <number>', 'context identifier of the enclave, as nitro-cli describe-enclaves prints it')
        .argParser(wholeNumber(0, 0xffff_ffff))
        .makeOptionMandatory(),
    )
    .option('--listen <url>', 'where clients or a relay reach the enclave', 'http://127.0.0.1:7802')
    .option('--broker <url>', 'the broker, as this machine reaches it', 'http://127.0.0.1:7801')
    .option('--model <file>', 'what `fastness disk` wrote, for an enclave to fetch when it starts')
    .addOption(portOption('--enclave-port <port>', 'virtual port of the enclave', 7802))
    .addOption(portOption('--broker-port <port>', 'virtual port on which the enclave asks for the broker', 7801))
    .addOption(portOption('--model-port <port>', 'virtual port on which the enclave asks for the model', 7803))
    .action(
      action<VsockProxyOptions>(async ({ output, signal }, options) => {
        const proxy = await startVsockProxy({
          clients: listenAddress(options.listen),
          enclave: vsockAddress(options.cid, options.enclavePort),
          brokerSide: vsockAddress(ANY_CID, options.brokerPort),
          broker: listenAddress(options.broker),
          ...(options.model === undefined
            ? {}
            : { model: { at: vsockAddress(ANY_CID, options.modelPort), file: options.model } }),
          failed: ({ code, detail }) => output.step('connection-cut', `Cut off: ${code} ${detail ?? ''}`, { code }),
        });
        output.step('listening', `Enclave ${options.cid} at ${proxy.url}; broker ${options.broker}`, {
          url: proxy.url,
        });
        await untilAborted(signal);
        await proxy.close();
      }),
    );
}

function portOption(flags: string, description: string, preset: number): Option {
  return new Option(flags, description).argParser(wholeNumber(0, 0xffff_ffff)).default(preset);
}
