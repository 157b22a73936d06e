import { basename, extname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { trialLoad } from '@fastness/enclave/trial-load';
import { detectModel, sealModel } from '@fastness/model';
import { action } from '../support/command.ts';
import { formatBytes, formatSeconds } from '../support/format.ts';
import { makePrivateDirectory, readHomeConfig, writeJson } from '../support/home.ts';
import type { Context } from '../support/run.ts';
import { keyIds, openStore } from '../support/stores.ts';

export interface SealOptions {
  readonly modelId?: string;
  readonly replace?: boolean;
}

export function sealCommand(): Command {
  return new Command('seal')
    .description('encrypt a model so that only an attested enclave can open it')
    .argument(
      '<path>',
      'a GGUF file, a folder with model.onnx, tokenizer.json and config.json, or a folder with upstream.json',
    )
    .option('--model-id <id>', "the model's name in releases and in the API (default: from the file name)")
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
  const detected = await detectModel(source);
  // Before any key is made: a model that the engine cannot load must not become a release.
  // A server next to the enclave belongs to its image, which this machine need not have.
  if (detected.engine !== 'upstream') {
    await trialLoad({ source, engine: detected.engine, task: detected.task, signal });
  }
  await using keyStore = await openStore(home, 'kek');
  await makePrivateDirectory(home.modelDirectory);
  const started = performance.now();
  const target = join(home.modelDirectory, modelId);
  const manifest = await sealModel({
    source,
    target,
    modelId,
    engine: detected.engine,
    task: detected.task,
    keyStore,
    kekId: keyIds.kek,
    replace: options.replace ?? false,
    onProgress: (done, total) => output.progress(`sealing ${modelId}`, done, total),
    signal,
  });
  const bytes = manifest.files.reduce((sum, file) => sum + file.size, 0);
  await writeJson(home.configFile, { ...config, defaultModel: modelId });
  output.step(
    'model-sealed',
    `Sealed ${modelId}: ${manifest.files.length} file(s), ${formatBytes(bytes)}, C2SP FLOE AES-256-GCM, key wrapped by the KEK, in ${formatSeconds(performance.now() - started)}`,
    { modelId, target, engine: detected.engine, task: detected.task, files: manifest.files, bytes },
  );
  return modelId;
}
