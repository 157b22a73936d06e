import { join } from 'node:path';
import { Command } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { parseManifest } from '@fastness/model';
import { parseRelease } from '@fastness/model/release';
import { startChild, type RunningChild } from '../support/children.ts';
import { clientForHome } from '../support/client.ts';
import { action } from '../support/command.ts';
import { demonstrate } from '../support/demonstrate.ts';
import { ensureRelease } from '../support/ensure-release.ts';
import { homeExists, listModels, modelDirectory, readHomeConfig, readText } from '../support/home.ts';
import { repositoryRoot } from '../support/image.ts';
import { untilAborted, type Context } from '../support/run.ts';
import { printVerifiedEnclave } from '../support/verdict.ts';
import { defaultApprovers, initHome } from './init.ts';
import { startProxy } from './proxy.ts';
import { defaultConsoleUrl, startConsole } from './console.ts';
import { publishHome } from './publish.ts';
import { sealHome } from './seal.ts';

interface UpOptions {
  readonly once?: boolean;
  readonly anyPort?: boolean;
  readonly apiKeyFile?: string;
}

const defaultModelFile: string = join(repositoryRoot, 'models/triage/triage.gguf');
const enclaveReadyMilliseconds = 90_000;
const readyMilliseconds = 30_000;

export function upCommand(): Command {
  return new Command('up')
    .description(
      'the whole chain on this machine: keys, seal, sign, approve, broker, enclave, relay, verify, ask, receipt',
    )
    .option('--once', 'stop after the receipt has been checked; exit code 0 only if everything verified')
    .option('--any-port', 'listen on free ports instead of those of the home')
    .option('--api-key-file <file>', 'an API key, where the release lets in nobody without one')
    .action(action<UpOptions>(async (context, options) => up(context, options)));
}

/** The whole chain. Every stage that was finished stays; the signal is asked between them. */
export async function up(context: Context, options: UpOptions): Promise<void> {
  const { home, output, signal } = context;
  if (homeExists(home)) output.step('home-found', `Home ${home.path}`, { home: home.path });
  else await initHome(context, { approvers: [...defaultApprovers], threshold: 2, tee: 'simulated' });
  signal.throwIfAborted();
  if ((await readHomeConfig(home)).defaultModel === null || (await listModels(home)).length === 0) {
    await sealHome(context, defaultModelFile, {});
  }
  signal.throwIfAborted();
  await ensureRelease(context);
  const dir = await modelDirectory(home, undefined);
  const manifest = parseManifest(await readText(join(dir, 'manifest.json')));
  const { apiKeyFile } = options;
  // Before anything runs: it would end with the first question.
  if (apiKeyFile === undefined && parseRelease(await readText(join(dir, 'release.json'))).access !== undefined)
    throw new FastnessError(
      'CLI_USAGE',
      'The release lets in tenants only: name a file with an API key by --api-key-file.',
    );

  await using children = new AsyncDisposableStack();
  const config = await readHomeConfig(home);
  const freePort = options.anyPort === true ? 'http://127.0.0.1:0' : undefined;
  const listen = freePort === undefined ? [] : ['--listen', freePort];
  const start = async (name: string, args: string[], milliseconds: number): Promise<RunningChild> => {
    const child = await startChild({ home, name, args: [...args, ...listen], readyMilliseconds: milliseconds, signal });
    children.defer(async () => child.stop());
    output.step(`${name}-started`, `${name} runs as process ${child.process.pid} on ${child.url}`, {
      pid: child.process.pid,
      url: child.url,
    });
    return child;
  };
  const broker = await start('broker', [], readyMilliseconds);
  await publishHome(context, { url: broker.url });
  const enclave = await start('enclave', ['--broker', broker.url], enclaveReadyMilliseconds);
  let relayUrl = '';
  const page = await startConsole({ home, listen: freePort ?? defaultConsoleUrl, relay: async () => relayUrl });
  children.defer(async () => page.close());
  const relay = await start('relay', ['--upstream', enclave.url, '--allow-origin', page.url], readyMilliseconds);
  relayUrl = relay.url;

  signal.throwIfAborted();
  const client = await clientForHome(home, { url: relay.url, ...(apiKeyFile === undefined ? {} : { apiKeyFile }) });
  const verified = await client.verify();
  signal.throwIfAborted();
  printVerifiedEnclave(output, verified);
  await demonstrate(context, client, manifest);

  if (options.once === true) {
    output.step('done', 'Everything verified.');
    return;
  }
  const proxy = await startProxy({ client, listen: freePort ?? config.proxyUrl });
  children.defer(async () => proxy.close());
  output.result({ baseUrl: `${proxy.url}/v1`, consoleUrl: `${page.url}/start` }, [
    '',
    `OpenAI-compatible address: ${proxy.url}/v1   (clients need no API key of their own)`,
    `Console in the browser:    ${page.url}/start   (verifies there; Ctrl-C stops everything)`,
  ]);
  await Promise.race([untilAborted(signal), firstEnd([broker, enclave, relay])]);
}

/** A service that ends by itself while the others run is an error, not a quiet stop. */
async function firstEnd(children: readonly RunningChild[]): Promise<never> {
  const name = await Promise.race(children.map(async (child) => child.ended.then(() => child.name)));
  throw new FastnessError('CLI_SERVICE_ENDED', `It was the ${name}.`);
}
