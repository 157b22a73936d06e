import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { BrokerOptions } from '@fastness/broker';
import { FastnessError } from '@fastness/codec/errors';
import { wholeNumber } from './option-values.ts';

/** Options of commands that run a broker: who cosigns what it logs. */
export interface WitnessOptions {
  readonly witness?: { readonly key: string; readonly url: string }[];
  readonly witnesses?: number;
}

/** `NAME+ID+BASE64@https://...`: neither a name nor base64 has the scheme of an address in it. */
const witnessPattern = /^(?<key>[^\s]+?\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*)@(?<url>https?:\/\/\S+)$/;

function readWitness(text: string, earlier: { key: string; url: string }[] = []): { key: string; url: string }[] {
  const { key, url } = witnessPattern.exec(text)?.groups ?? {};
  if (key === undefined || url === undefined || !URL.canParse(url)) {
    throw new InvalidArgumentError(
      'Expected NAME+ID+BASE64@https://ADDRESS, as `fastness log witness` prints key and address.',
    );
  }
  return [...earlier, { key, url }];
}

export function withWitnessOptions(command: Command): Command {
  return command
    .option('--witness <key@url>', 'a witness that cosigns checkpoints of the log, repeatable', readWitness)
    .option('--witnesses <count>', 'how many of them have to cosign (default: more than half)', wholeNumber(1, 99));
}

/** Nothing where no witness is named. Throws CLI_USAGE. */
export function brokerWitnesses({ witness: list, witnesses }: WitnessOptions): Pick<BrokerOptions, 'log'> {
  if (list === undefined) {
    if (witnesses !== undefined) throw new FastnessError('CLI_USAGE', '--witnesses needs --witness.');
    return {};
  }
  return { log: { witnesses: { threshold: witnesses ?? Math.floor(list.length / 2) + 1, list } } };
}
