import { open, stat } from 'node:fs/promises';
import { Command } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { describeBytes, describeSealedModel, type Description } from '../support/describe.ts';
import { action } from '../support/command.ts';

/** Evidence, receipts and manifests are far smaller; of a larger file only the start is looked at. */
const readLimitBytes = 4 * 1024 * 1024;

export function inspectCommand(): Command {
  return new Command('inspect')
    .description(
      'say what a file is and what it claims, without verifying it: a sealed model or file, a manifest, release, ' +
        'approval or signature, an SEV-SNP report or evidence, an attestation bundle, a receipt',
    )
    .argument('<file>', 'the file, or the folder of a sealed model')
    .action(
      action(async ({ output }, _options, [path = '']) => {
        const description = (await isFolder(path))
          ? await describeSealedModel(path)
          : describeBytes(...(await readStart(path)));
        output.result(
          { file: path, kind: description.kind, facts: description.facts, verified: false },
          lines(description),
        );
        output.warn('Nothing here was verified. `fastness verify` checks evidence and receipts.');
      }),
    );
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
  }
}

async function readStart(path: string): Promise<[Uint8Array, number]> {
  try {
    await using handle = await open(path, 'r');
    const { size } = await handle.stat();
    const bytes = new Uint8Array(Math.min(size, readLimitBytes));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return [bytes.subarray(0, bytesRead), size];
  } catch (cause) {
    throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
  }
}

function lines({ kind, facts }: Description): string[] {
  const width = Math.max(0, ...Object.keys(facts).map((name) => name.length));
  return [kind, ...Object.entries(facts).map(([name, value]) => `  ${name.padEnd(width)}  ${show(value)}`)];
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
