import { basename, extname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { readBrokerCard, shareHolderOf } from '@fastness/broker';
import { FastnessError } from '@fastness/codec/errors';
import { trialLoad } from '@fastness/enclave/trial-load';
import { detectModel, maxKeyShares, sealModel, sealSharedModel, type ShareHolder } from '@fastness/model';
import { action } from '../support/command.ts';
import { formatBytes, formatSeconds } from '../support/format.ts';
import { makePrivateDirectory, readHomeConfig, readText, writeJson } from '../support/home.ts';
import { wholeNumber } from '../support/option-values.ts';
import type { Context } from '../support/run.ts';
import { fingerprintOf } from '../support/share-intake.ts';
import { keyIds, openStore } from '../support/stores.ts';

export interface SealOptions {
  readonly modelId?: string;
  readonly replace?: boolean;
  /** Cards of the brokers that share the key; without: this home's broker has all of it. */
  readonly shareWith?: string[];
  readonly threshold?: number;
}

export function sealCommand(): Command {
  return new Command('seal')
    .description('encrypt a model so that only an attested enclave can open it')
    .argument(
      '<path>',
      'a GGUF file, a folder with model.onnx, tokenizer.json and config.json, or a folder with upstream.json',
    )
    .option('--model-id <id>', "the model's name in releases and in the API (default: from the file name)")
    .option('--share-with <card...>', 'give each of these brokers one share of the key, and none of them the key')
    .option(
      '--threshold <number>',
      'how many of them it takes to open the model (with --share-with)',
      wholeNumber(2, maxKeyShares),
    )
    .option('--replace', 'replace a sealed model of this name although a release of it is signed')
    .action(
      action<SealOptions>(async (context, options, [path = '']) => void (await sealHome(context, path, options))),
    );
}

function modelIdFrom(path: string): string {
  const id = basename(path, extname(path))
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '');
  if (id === '')
    throw new FastnessError(
      'CLI_USAGE',
      `No model id can be made of ${JSON.stringify(basename(path))}; give one with --model-id.`,
    );
  return id;
}

export async function sealHome(context: Context, path: string, options: SealOptions): Promise<string> {
  const { home, output, signal } = context;
  const config = await readHomeConfig(home);
  const source = resolve(path);
  const modelId = options.modelId ?? modelIdFrom(source);
  // It names a folder here, so it is narrower than what a manifest allows.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(modelId)) {
    throw new FastnessError(
      'CLI_USAGE',
      `--model-id ${JSON.stringify(modelId)}: letters, digits, dots, hyphens, underscores.`,
    );
  }
  const holders = await holdersOf(options);
  const detected = await detectModel(source);
  // Before any key is made: a model that the engine cannot load must not become a release.
  // A server next to the enclave belongs to its image, which this machine need not have.
  if (detected.engine !== 'upstream') {
    await trialLoad({ source, engine: detected.engine, task: detected.task, signal });
  }
  await makePrivateDirectory(home.modelDirectory);
  const started = performance.now();
  const target = join(home.modelDirectory, modelId);
  const sealing = {
    source,
    target,
    modelId,
    engine: detected.engine,
    task: detected.task,
    replace: options.replace ?? false,
    onProgress: (done: number, total: number) => output.progress(`sealing ${modelId}`, done, total),
    signal,
  };
  const manifest = await (holders === undefined
    ? sealWhole(context, sealing)
    : sealSharedModel({ ...sealing, ...holders }));
  const bytes = manifest.files.reduce((sum, file) => sum + file.size, 0);
  await writeJson(home.configFile, { ...config, defaultModel: modelId });
  output.step(
    'model-sealed',
    `Sealed ${modelId}: ${manifest.files.length} file(s), ${formatBytes(bytes)}, C2SP FLOE AES-256-GCM, ${keyKept(holders)}, in ${formatSeconds(performance.now() - started)}`,
    {
      modelId,
      target,
      engine: detected.engine,
      task: detected.task,
      files: manifest.files,
      bytes,
      ...(manifest.keyShares === undefined ? {} : { keyShares: manifest.keyShares }),
    },
  );
  for (const [at, { recipient }] of (holders?.holders ?? []).entries())
    output.detail(`Share ${at + 1}: the broker with key ${fingerprintOf(recipient.brokerKey)}`);
  return modelId;
}

interface Sharing {
  readonly holders: readonly ShareHolder[];
  readonly threshold: number;
}

/** The brokers of the cards; undefined without any. Before anything is sealed: a card that does not verify ends it here. */
async function holdersOf({ shareWith, threshold }: SealOptions): Promise<Sharing | undefined> {
  if ((shareWith === undefined) !== (threshold === undefined))
    throw new FastnessError('CLI_USAGE', '--share-with and --threshold belong together.');
  if (shareWith === undefined || threshold === undefined) return undefined;
  if (threshold > shareWith.length)
    throw new FastnessError('CLI_USAGE', `--threshold ${threshold}: there are ${shareWith.length} cards.`);
  const cards = await Promise.all(shareWith.map(async (file) => readBrokerCard(await readText(resolve(file)))));
  return { holders: cards.map((card) => shareHolderOf(card)), threshold };
}

async function sealWhole(
  { home }: Context,
  sealing: Omit<Parameters<typeof sealModel>[0], 'keyStore' | 'kekId'>,
): ReturnType<typeof sealModel> {
  await using keyStore = await openStore(home, 'kek');
  return await sealModel({ ...sealing, keyStore, kekId: keyIds.kek });
}

function keyKept(sharing: Sharing | undefined): string {
  if (sharing === undefined) return 'key wrapped by the KEK';
  return `key in ${sharing.holders.length} shares of which ${sharing.threshold} open it`;
}
