import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { toHex, utf8Decode, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import {
  checkContinues,
  createWitness,
  makeProof,
  openCheckpoint,
  parseVerifierKey,
  provenEntries,
  readCheckpoint,
  verifyEntries,
  verifyProof,
  type VerifiedCheckpoint,
} from '@fastness/log';
import { openWitnessStore, serveWitness } from '@fastness/log/node';
import { action } from '../support/command.ts';
import { readText, writeFileAtomic } from '../support/home.ts';
import { listenAddress } from '../support/listen.ts';
import { logSource, logTrust, type LogOptions } from '../support/log-source.ts';
import { collect, wholeNumber } from '../support/option-values.ts';
import { untilAborted } from '../support/run.ts';
import { openWitnessKey } from '../support/witness.ts';

export function logCommand(): Command {
  return new Command('log')
    .description('the transparency log of a broker: verify it, prove an entry, follow it, witness it')
    .addCommand(verifyLogCommand())
    .addCommand(proveCommand())
    .addCommand(tailCommand())
    .addCommand(witnessCommand());
}

const withTrust = (command: Command): Command =>
  command
    .option('--key <key>', "pinned key of the log, NAME+ID+BASE64, repeatable (default: the home's broker)", collect)
    .option('--origin <name>', 'first line of its checkpoints (default: the name of the key)')
    .option('--witness <key>', 'pinned key of a witness, repeatable', collect)
    .option(
      '--witnesses <count>',
      'how many of them have to have cosigned (default: all that are named)',
      wholeNumber(1, 99),
    );

const factsOf = (checkpoint: VerifiedCheckpoint): Record<string, unknown> => ({
  origin: checkpoint.origin,
  size: checkpoint.size,
  root: toHex(checkpoint.root),
  signedBy: checkpoint.verified.map(({ key }) => `${key.name}+${key.id}`),
});

interface VerifyOptions extends LogOptions {
  readonly remember?: string;
}

function verifyLogCommand(): Command {
  return withTrust(new Command('verify'))
    .description('verify a whole log (a folder or a URL), or an offline proof (a .tlog-proof file)')
    .argument(
      '[log]',
      "folder, address below which the log lies (of a broker: http://HOST/v1/log/), or proof file (default: the home's broker)",
    )
    .option('--remember <file>', 'checkpoint of the last time: the log has to continue it; kept there when it does')
    .action(
      action<VerifyOptions>(async ({ home, output, signal }, options, [from]) => {
        const trust = await logTrust(home, options);
        if (from?.endsWith('.tlog-proof') === true) {
          const { index, entry, checkpoint } = await verifyProof({ proof: await readText(from), trust });
          output.step('proof-verified', `Entry ${index} is in the log of ${checkpoint.size} entries.`, {
            ...factsOf(checkpoint),
            index,
            entry: printable(entry),
          });
          output.detail(printable(entry));
          return;
        }
        const source = await logSource(home, from, signal);
        const checkpoint = await readCheckpoint(source, trust);
        output.step(
          'checkpoint-verified',
          `${checkpoint.origin}: ${checkpoint.size} entries, signed.`,
          factsOf(checkpoint),
        );
        const { remember } = options;
        if (remember !== undefined && existsSync(remember)) {
          // By the key alone: witnesses that are asked for today need not have cosigned then.
          const { witnesses: _, ...logOnly } = trust;
          const earlier = await openCheckpoint(await readText(remember), logOnly);
          try {
            await checkContinues(source, checkpoint, earlier);
          } catch (error) {
            // Both notes together are the evidence, so the new one is kept as well.
            if (error instanceof FastnessError && (error.code === 'LOG_FORK' || error.code === 'LOG_ROLLBACK'))
              await writeFileAtomic(`${remember}.conflict`, utf8Encode(checkpoint.note));
            throw error;
          }
          output.step('continues', `It continues the ${earlier.size} entries of the last time.`, {
            size: earlier.size,
          });
        }
        await verifyEntries(source, checkpoint, () => {
          signal.throwIfAborted();
        });
        output.step('entries-verified', 'Every entry and every tile leads to the signed root.', {
          size: checkpoint.size,
        });
        if (remember !== undefined) await writeFileAtomic(remember, utf8Encode(checkpoint.note));
      }),
    );
}

interface ProveOptions extends LogOptions {
  readonly out?: string;
}

function proveCommand(): Command {
  return withTrust(new Command('prove'))
    .description('write an offline proof that an entry is in a log')
    .argument('<entry>', 'number of the entry, from 0 (number N of the audit log is entry N - 1)', wholeNumber())
    .argument('[log]', "folder, or address below which the log lies (default: the home's broker)")
    .option('--out <file>', 'where to (default: entry-N.tlog-proof)')
    .action(
      action<ProveOptions>(async ({ home, output, signal }, options, [number = '', from]) => {
        const index = Number(number);
        const trust = await logTrust(home, options);
        const source = await logSource(home, from, signal);
        const proof = await makeProof(source, await readCheckpoint(source, trust), index);
        // A log may give anything: what is written verifies.
        const { entry } = await verifyProof({ proof, trust });
        const out = options.out ?? `entry-${index}.tlog-proof`;
        await writeFileAtomic(out, utf8Encode(proof));
        output.step('proof-written', `Entry ${index} is proven in ${out}.`, {
          index,
          file: out,
          entry: printable(entry),
        });
        output.detail(printable(entry));
      }),
    );
}

interface TailOptions extends LogOptions {
  readonly from?: number;
  readonly follow?: boolean;
  readonly interval: number;
}

function tailCommand(): Command {
  return withTrust(new Command('tail'))
    .description('print the entries of a log, each checked to be in it')
    .argument('[log]', "folder, or address below which the log lies (default: the home's broker)")
    .option('--from <entry>', 'first entry, from 0 (default: the last ten)', wholeNumber())
    .option('--follow', 'go on as the log grows; a log that does not continue itself ends this with an error')
    .option('--interval <seconds>', 'how often to look', wholeNumber(1, 86_400), 5)
    .action(
      action<TailOptions>(async ({ home, output, signal }, options, [place]) => {
        const trust = await logTrust(home, options);
        const source = await logSource(home, place, signal);
        let last: VerifiedCheckpoint | undefined;
        let next = options.from;
        for (;;) {
          const checkpoint = await readCheckpoint(source, trust);
          if (last !== undefined) await checkContinues(source, checkpoint, last);
          last = checkpoint;
          for await (const { index, entry } of provenEntries(
            source,
            checkpoint,
            next ?? Math.max(0, checkpoint.size - 10),
          )) {
            const text = printable(entry);
            output.result({ index, entry: text }, [`${index} ${text}`]);
            signal.throwIfAborted();
          }
          next = Math.max(next ?? 0, checkpoint.size);
          if (options.follow !== true) return;
          await pause(Math.max(1, options.interval) * 1000, signal);
          if (signal.aborted) return;
        }
      }),
    );
}

interface WitnessOptions {
  readonly listen: string;
  readonly state: string;
  readonly name: string;
  readonly log: string[];
}

function witnessCommand(): Command {
  return new Command('witness')
    .description('run a witness: it cosigns checkpoints of the logs it knows, and never two that contradict each other')
    .requiredOption('--log <key>', 'key of a log to watch, NAME+ID+BASE64, repeatable', collect)
    .requiredOption('--state <folder>', 'its key and what it cosigned; never put it back to an earlier state')
    .requiredOption('--name <name>', 'its name, such as witness.example.com/w1')
    .option('--listen <url>', 'address to listen on', 'http://127.0.0.1:7805')
    .action(
      action<WitnessOptions>(async ({ output, signal }, options) => {
        const logKeys = await Promise.all(options.log.map(parseVerifierKey));
        await using own = await openWitnessKey(options.state, options.name);
        await using store = await openWitnessStore({ directory: options.state });
        // Several keys of one name are one log.
        const names = [...new Set(logKeys.map(({ name }) => name))];
        const logs = names.map((name) => ({ logKeys: logKeys.filter((key) => key.name === name) }));
        const witness = createWitness({ ...own, logs, store, now: () => new Date() });
        await using served = await serveWitness({
          witness,
          ...listenAddress(options.listen),
          report: (error) => output.warn(error instanceof Error ? error.message : 'It could not answer.'),
        });
        output.step('listening', `Witness on ${served.url}`, { url: served.url, key: own.key.text });
        output.detail(`Key: ${own.key.text}`);
        await untilAborted(signal);
      }),
    );
}

/** Entries of a broker are JSON; anything else is shown in hex. */
function printable(entry: Uint8Array): string {
  try {
    return utf8Decode(entry);
  } catch {
    return toHex(entry);
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await Promise.race([new Promise((resolve) => setTimeout(resolve, milliseconds)), untilAborted(signal)]);
}
