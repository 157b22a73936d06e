import { Command } from 'commander';
import { consoleSite, integrityOf, serveConsole, type ServedConsole } from '@fastness/console';
import { FastnessError } from '@fastness/codec/errors';
import { toBase64Url, utf8Encode } from '@fastness/codec';
import { action } from '../support/command.ts';
import { readClientPolicy } from '../support/client.ts';
import { homeExists, readHomeConfig, type Home } from '../support/home.ts';
import { isLoopback, listenAddress } from '../support/listen.ts';
import { untilAborted } from '../support/run.ts';

interface ConsoleOptions {
  readonly listen: string;
  readonly url?: string;
  readonly policy?: string;
  readonly digest?: boolean;
}

export const defaultConsoleUrl = 'http://127.0.0.1:7806';

export function consoleCommand(): Command {
  return new Command('console')
    .description(
      'serve the page that verifies an enclave in the browser and talks to it; it may be served from anywhere',
    )
    .option('--listen <url>', 'local address', defaultConsoleUrl)
    .option('--url <url>', "the relay or the enclave that the page starts with (default: the home's relayUrl)")
    .option('--policy <file>', "what the page accepts to start with (default: the home's policy/client.json)")
    .option('--digest', 'print the digest of the page’s script, which the page shows as well, and end')
    .action(
      action<ConsoleOptions>(async ({ home, output, signal }, options) => {
        const site = await consoleSite();
        const digest = integrityOf(site.get('console.js') ?? new Uint8Array(0));
        if (options.digest === true) return output.result({ digest }, [digest]);
        const { listen, policy } = options;
        const relay = async (): Promise<string> => options.url ?? relayOf(home);
        const served = await startConsole({ home, listen, relay, ...(policy === undefined ? {} : { policy }) });
        output.step('listening', `Console: ${served.url}/start`, { url: served.url, digest });
        output.detail(`build ${digest}`);
        output.detail(`the relay must allow this page: fastness relay --allow-origin ${served.url}`);
        await untilAborted(signal);
        await served.close();
      }),
    );
}

/** Serves the console on a loopback address; `/start` fills in the address of `relay` and the client policy. */
export async function startConsole(options: {
  readonly home: Home;
  readonly listen: string;
  readonly relay: () => Promise<string>;
  readonly policy?: string;
}): Promise<ServedConsole> {
  const { home, relay } = options;
  const listen = listenAddress(options.listen);
  if (!isLoopback(listen.host)) {
    throw new FastnessError(
      'CLI_USAGE',
      `${options.listen} is no loopback address: put the built page on a web server with TLS.`,
    );
  }
  return serveConsole({
    site: consoleSite,
    ...listen,
    fragment: async () => {
      const policy = await readClientPolicy(home, options.policy === undefined ? {} : { policy: options.policy });
      const text = toBase64Url(utf8Encode(JSON.stringify(policy)));
      return `enclave=${encodeURIComponent(await relay())}&policy=${text}`;
    },
  });
}

async function relayOf(home: Home): Promise<string> {
  return homeExists(home) ? (await readHomeConfig(home)).relayUrl : '';
}
