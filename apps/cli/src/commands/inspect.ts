import { open, stat } from 'node:fs/promises';
import { Command } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { describeBytes, describeSealedModel, type Description } from '../support/describe.ts';
import { isObject } from '../support/attest/is-object.ts';
import { action } from '../support/command.ts';

/** Evidence, receipts and manifests are far smaller; of a larger file only the start is looked at. */
const readLimitBytes = 4 * 1024 * 1024;
/** Characters of an object that is shown on one line. */
const MAX_LINE = 80;

export function inspectCommand(): Command {
  return new Command('inspect')
    .description(
      'say what a file is and what it claims, without verifying it: a sealed model or file, a manifest, release, ' +
        'approval or signature, evidence of any kind that `fastness attest verify` reads, an attestation bundle, a receipt',
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
        output.warn(
          'Nothing here was verified. `fastness attest verify` checks evidence, `fastness verify` an enclave, a bundle or a receipt.',
        );
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
  return [kind, ...membersOf(facts, '  ')];
}

/** Members one below the other; those of objects and lists that do not fit on a line, indented under their name. */
function* membersOf(facts: Readonly<Record<string, unknown>>, indent: string): Generator<string> {
  const shown = Object.entries(facts).map(([name, value]) => [show(name), value] as const);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  for (const [name, value] of shown) {
    const members: unknown = Array.isArray(value) ? Object.fromEntries(value.entries()) : value;
    if (isObject(members) && JSON.stringify(value).length > MAX_LINE) {
      yield `${indent}${name}`;
      yield* membersOf(members, `${indent}  `);
    } else yield `${indent}${name.padEnd(width)}  ${show(value)}`;
  }
}

/** The file is anybody's: what would steer a terminal is shown as its escape. */
function show(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/\p{Cc}|\p{Cf}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
