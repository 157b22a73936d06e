import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { brokerLogKey } from '@fastness/broker';
import { FastnessError } from '@fastness/codec/errors';
import { httpLog, parseVerifierKey, type LogSource, type LogTrust } from '@fastness/log';
import { directoryLog, nodeHasher } from '@fastness/log/node';
import { readHomeConfig, type Home } from './home.ts';
import { keyIds, openStore } from './stores.ts';

/** Options of every command that reads a log. */
export interface LogOptions {
  readonly key?: string[];
  readonly origin?: string;
  readonly witness?: string[];
  readonly witnesses?: number;
}

const timeoutMs = 30_000;

/** A log in a folder or below a URL; without either, that of the home's broker. */
export async function logSource(home: Home, from: string | undefined, signal: AbortSignal): Promise<LogSource> {
  const place = from ?? new URL('/v1/log/', (await readHomeConfig(home)).brokerUrl).href;
  if (/^https?:\/\//.test(place)) {
    if (!URL.canParse(place)) throw new FastnessError('CLI_USAGE', `${place} is no address.`);
    // Each request has its time: a log that answers a little at a time must not hold the command forever.
    const fetch: typeof globalThis.fetch = (url, init) =>
      globalThis.fetch(url, { ...init, signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
    return { read: httpLog({ url: place, fetch, signal }), hasher: nodeHasher };
  }
  const found = await stat(place).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new FastnessError('LOG_UNAVAILABLE', `${place} is no folder of a log.`);
  return { read: directoryLog(place), hasher: nodeHasher };
}

/** Whom to believe: the keys that were given, or that of the home's broker. */
export async function logTrust(home: Home, options: LogOptions): Promise<LogTrust> {
  const witnessKeys = await Promise.all((options.witness ?? []).map(parseVerifierKey));
  const threshold = options.witnesses ?? witnessKeys.length;
  if (threshold > witnessKeys.length) {
    throw new FastnessError('CLI_USAGE', `--witnesses ${threshold} of ${witnessKeys.length} that were named.`);
  }
  return {
    logKeys:
      options.key === undefined ? [await homeLogKey(home)] : await Promise.all(options.key.map(parseVerifierKey)),
    ...(options.origin === undefined ? {} : { origin: options.origin }),
    ...(witnessKeys.length === 0 ? {} : { witnesses: { keys: witnessKeys, threshold } }),
  };
}

async function homeLogKey(home: Home): ReturnType<typeof brokerLogKey> {
  await using broker = await openStore(home, 'broker');
  return await logKeyOf(home, await broker.publicKey(keyIds.broker));
}

/**
 * The key of the log of the home's broker. A broker of a fleet has its own name behind that of the log (`--instance`): the
 * checkpoint on this disk says which. Only the name is taken from there, never a key.
 */
export async function logKeyOf(home: Home, brokerKey: Uint8Array): ReturnType<typeof brokerLogKey> {
  const own = await brokerLogKey(brokerKey);
  const checkpoint = await readFile(join(home.brokerDirectory, 'audit.jsonl.tlog/checkpoint'), 'utf8').catch(() => '');
  const [origin = ''] = checkpoint.split('\n', 1);
  return origin.startsWith(`${own.name}/`) ? await brokerLogKey(brokerKey, origin) : own;
}
