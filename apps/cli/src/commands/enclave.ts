import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Command, Option } from 'commander';
import { adapterProtocols } from '@fastness/channel';
import { FastnessError, isErrorCode } from '@fastness/codec/errors';
import type { EnclaveConfigInput } from '@fastness/enclave';
import { readSealedModel } from '@fastness/model';
import { trafficProfiles, type TrafficProfileName } from '@fastness/model/release';
import { z } from 'zod';
import { action } from '../support/command.ts';
import { modelDirectory, readHomeConfig, writeJson } from '../support/home.ts';
import { enclaveMain } from '../support/image.ts';
import { listenAddress } from '../support/listen.ts';
import { collect, wholeNumber } from '../support/option-values.ts';
import type { Context } from '../support/run.ts';
import { simulatedBanner, simulatedTeeCommand } from '../support/simulated.ts';

export interface EnclaveOptions {
  readonly model?: string;
  readonly listen?: string;
  readonly broker?: string[];
  readonly acceptSwap?: string;
  readonly traffic?: TrafficProfileName;
  readonly frameMs?: number;
  readonly tokensPerEvent?: number;
  readonly sequences?: number;
  readonly gatherMs?: number;
  readonly adapter?: (typeof adapterProtocols)[number][];
}

export function enclaveCommand(): Command {
  return new Command('enclave')
    .description('run the enclave: it proves itself to the broker, opens the model in memory and serves it')
    .option('--model <id>', 'the sealed model (default: the one sealed last)')
    .option('--listen <url>', "address to listen on (default: the home's enclaveUrl)")
    .option(
      '--broker <[share=]url>',
      "the broker (default: the home's brokerUrl); where several share the key, each, in the order of their shares or with the number of its share",
      collect,
    )
    .option(
      '--accept-swap <reason>',
      'run although this machine swaps; the reason goes into the log; refused on hardware unless the image allows it',
    )
    .addOption(
      new Option('--traffic <profile>', 'how sizes and times of answers are hidden; the release may demand more')
        .choices(trafficProfiles)
        .default('balanced'),
    )
    .addOption(
      new Option(
        '--adapter <protocol...>',
        'answer this protocol beside chunked OHTTP, which is the stronger one: docs/protocol.md says in what',
      ).choices(adapterProtocols),
    )
    .option('--frame-ms <number>', 'milliseconds between frames of an answer, for slow engines', wholeNumber(25, 2000))
    .option(
      '--gather-ms <number>',
      'milliseconds that parts of an answer gather where nothing else paces them',
      wholeNumber(0, 1000),
    )
    .option('--sequences <number>', 'requests that generate at the same time (default: 4)', wholeNumber(1, 64))
    .option('--tokens-per-event <number>', 'tokens that the engine hands on at a time (default: 8)', wholeNumber(1, 64))
    .action(action<EnclaveOptions>(async (context, options) => runEnclave(context, options)));
}

/** The address of the one broker, or of each of several by the number of its share. */
async function brokersFor(
  modelDir: string,
  given: readonly string[] | undefined,
  fallback: string,
): Promise<Pick<EnclaveConfigInput, 'brokerUrl' | 'brokerUrls'>> {
  const { keyShares } = (await readSealedModel(modelDir)).manifest;
  if (keyShares === undefined) {
    if (given !== undefined && given.length > 1)
      throw new FastnessError('CLI_USAGE', '--broker: one broker has the key of this model.');
    return { brokerUrl: given?.[0] ?? fallback };
  }
  const numbered = (given ?? []).map((text, at) => {
    const [, share = String(at + 1), url = ''] = /^(?:(\d{1,2})=)?(.*)$/.exec(text) ?? [];
    return [share, url] as const;
  });
  const brokerUrls = Object.fromEntries(numbered);
  const strange = Object.keys(brokerUrls).find((share) => Number(share) < 1 || Number(share) > keyShares.shares.length);
  if (strange !== undefined || Object.keys(brokerUrls).length < Math.max(numbered.length, keyShares.threshold)) {
    const { threshold, shares } = keyShares;
    throw new FastnessError(
      'CLI_USAGE',
      `--broker: the addresses of at least ${threshold} of ${shares.length} brokers, each once.`,
    );
  }
  return { brokerUrls };
}

/**
 * Starts the enclave as a process of its own: inside the simulated TEE where the home says so, otherwise directly on a
 * machine whose TEE the enclave finds itself. Its log is this command's standard error; it "listens" once it serves.
 */
async function runEnclave(context: Context, options: EnclaveOptions): Promise<void> {
  const { home, output, signal } = context;
  const config = await readHomeConfig(home);
  const modelDir = await modelDirectory(home, options.model);
  const listen = listenAddress(options.listen ?? config.enclaveUrl);
  const simulated = config.tee === 'simulated';
  // The name is not reused while another enclave of this home may run.
  const name = `enclave-${process.pid}`;
  const configFile = join(home.runDirectory, `${name}.json`);
  const socketPath = join(home.runDirectory, `${name}.sock`);
  await writeJson(configFile, {
    listen,
    ...(await brokersFor(modelDir, options.broker, config.brokerUrl)),
    modelDir,
    engine: options.sequences === undefined ? {} : { sequences: options.sequences, queue: 2 * options.sequences },
    limits: {
      ...(options.tokensPerEvent === undefined ? {} : { tokensPerFrame: options.tokensPerEvent }),
      ...(options.gatherMs === undefined ? {} : { gatherMs: options.gatherMs }),
    },
    ...(options.adapter === undefined ? {} : { adapters: options.adapter }),
    traffic: {
      ...(options.traffic === undefined ? {} : { profile: options.traffic }),
      ...(options.frameMs === undefined ? {} : { frameMs: options.frameMs }),
    },
    evidence: simulated ? { kind: 'simulated', socketPath } : 'auto',
    waivers: options.acceptSwap === undefined ? [] : [{ check: 'ENCLAVE_SWAP_ACTIVE', reason: options.acceptSwap }],
  } satisfies EnclaveConfigInput);
  const nodeArguments = ['--disable-warning=ExperimentalWarning', '--conditions=source', enclaveMain, configFile];
  const command = simulated
    ? simulatedTeeCommand(home, { socket: socketPath, command: [process.execPath, ...nodeArguments] })
    : { file: process.execPath, args: nodeArguments };
  if (simulated) output.warn(simulatedBanner);

  const child = spawn(command.file, command.args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    env: bareEnvironment(),
  });
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const log = followLog(child.stderr, (url) =>
    output.step('listening', `Enclave serves on ${url}`, { url, pid: child.pid }),
  );
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    await log.ended;
    if (signal.aborted || code === 0) return;
    throw log.failure ?? new FastnessError('CLI_CHILD_FAILED', `The enclave ended with ${code ?? 'a signal'}.`);
  } finally {
    await rm(configFile, { force: true });
  }
}

const logLineSchema = z.object({
  event: z.string(),
  url: z.string().optional(),
  code: z.string().optional(),
  detail: z.string().optional(),
});

/** Variables can make libraries load code that nobody measured, so the enclave gets none but these. */
function bareEnvironment(): Record<string, string | undefined> {
  const { PATH, TZ } = process.env;
  return { PATH, ...(TZ === undefined ? {} : { TZ }) };
}

interface EnclaveLog {
  readonly ended: Promise<void>;
  failure?: FastnessError;
}

/** Passes the enclave's log on, says when it serves, and keeps the error that it ended with. */
function followLog(stream: Readable, onServing: (url: string) => void): EnclaveLog {
  const lines = createInterface({ input: stream });
  // The last line can arrive after the process is seen to end.
  const seen: EnclaveLog = { ended: new Promise((resolve) => lines.once('close', resolve)) };
  let url = '';
  lines.on('line', (line) => {
    process.stderr.write(`${line}\n`);
    // The simulated TEE shares the stream and writes plain text.
    const entry = line.startsWith('{') ? logLineSchema.safeParse(parse(line)).data : undefined;
    if (entry?.event === 'listening' && entry.url !== undefined) url = entry.url;
    if (entry?.event === 'serving') onServing(url);
    if (entry?.event === 'ended' && isErrorCode(entry.code)) seen.failure = new FastnessError(entry.code, entry.detail);
  });
  return seen;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
