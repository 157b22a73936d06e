import { join } from 'node:path';
import type { Command } from 'commander';
import {
  snpProductNames,
  type Cmw,
  type CmwCollection,
  type SnpProductName,
  type TrustAnchors,
} from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import {
  completeEndorsements,
  createEndorsementSource,
  openEndorsementCache,
  pccsServices,
  type Completed,
  type Endorsement,
  type EndorsementSource,
  type IntelUpdate,
} from '@fastness/evidence/endorsements';
import type { Home } from './home.ts';
import type { Output } from './output.ts';

/** Where endorsements come from, as the command line says it. */
export interface SourceOptions {
  readonly endorsementsCache?: string;
  readonly kds?: string;
  readonly pccs?: string;
  readonly update?: string;
  readonly product?: readonly string[];
  readonly offline?: boolean;
}

/** Options of every command that may fetch. `cache` is the option that names the cache directory. */
export function withSourceOptions(command: Command, cache: string): Command {
  return command
    .option('--endorsements-cache <dir>', cache)
    .option('--kds <url>', "AMD's key distribution service or a mirror (default: https://kdsintf.amd.com)")
    .option('--pccs <url>', "a caching service for Intel's collateral (default: Intel's own service)")
    .option('--update <recovery>', 'TCB recovery that Intel reports on: early, standard, or its number', 'standard')
    .option('--product <names...>', 'for SNP reports before version 3, which do not name it: Milan, Genoa, Turin')
    .option('--offline', 'use the cache alone');
}

/** The cache of a home, where no other is named. */
export function homeCache(home: Home): string {
  return join(home.path, 'endorsements');
}

/** Opens the cache and the services behind it. Throws ENDORSEMENT_CACHE_..., CLI_USAGE. */
export async function openSource(
  options: SourceOptions,
  { directory, anchors, at }: { readonly directory: string; readonly anchors: TrustAnchors; readonly at?: Date },
): Promise<EndorsementSource> {
  const { kds, pccs, offline = false } = options;
  return createEndorsementSource({
    anchors,
    offline,
    cache: await openEndorsementCache({ directory }),
    services: { ...(kds === undefined ? {} : { amd: kds }), ...(pccs === undefined ? {} : pccsServices(pccs)) },
    ...(at === undefined ? {} : { now: () => at }),
  });
}

/** What is fetched, as the command line says it. Throws CLI_USAGE. */
export function completionOf(options: SourceOptions): {
  readonly update: IntelUpdate;
  readonly products: readonly SnpProductName[];
} {
  const { update = 'standard', product = [] } = options;
  const products = product.map((name) => {
    const found = snpProductNames.find((each) => each.toLowerCase() === name.toLowerCase());
    if (found === undefined) throw new FastnessError('CLI_USAGE', `--product is one of ${snpProductNames.join(', ')}.`);
    return found;
  });
  if (update === 'early' || update === 'standard') return { update, products };
  if (!/^[1-9]\d{0,5}$/.test(update)) throw new FastnessError('CLI_USAGE', '--update is early, standard or a number.');
  return { update: Number(update), products };
}

/**
 * Fetches what evidence lacks when a cache was named; otherwise leaves the endorsements as they are. Throws ENDORSEMENT_....
 */
export async function completeFor(
  evidence: Cmw | CmwCollection,
  endorsements: readonly Cmw[],
  options: SourceOptions,
  means: {
    readonly anchors: TrustAnchors;
    readonly at: Date;
    readonly signal: AbortSignal;
    /** `fetched` where a stranger chose the endorsements that came along. Default: `given`. */
    readonly prefer?: 'given' | 'fetched';
  },
): Promise<Completed> {
  const { anchors, at, signal, prefer = 'given' } = means;
  const { endorsementsCache: directory } = options;
  if (directory === undefined) {
    if (options.offline === true) throw new FastnessError('CLI_USAGE', '--offline wants --endorsements-cache DIR.');
    return { endorsements: [...endorsements], fetched: [] };
  }
  const source = await openSource(options, { directory, anchors, at });
  const completion = completionOf(options);
  try {
    return await completeEndorsements({ evidence, endorsements, source, now: at, signal, prefer, ...completion });
  } catch (error) {
    if (!(error instanceof FastnessError) || error.code.startsWith('ENDORSEMENT_')) throw error;
    // Evidence that cannot be read: the verifier says so, with the checks that led there.
    return { endorsements: [...endorsements], fetched: [] };
  }
}

/** What a completion used although it could not be refreshed, and why not. */
export function notRefreshedOf({ fetched }: Completed): string[] {
  return fetched.flatMap(({ item, refreshFailed }) =>
    refreshFailed === undefined ? [] : [`${item.subject} (${refreshFailed})`],
  );
}

/** Prints one endorsement: what, from where, and how long it holds. */
export function printEndorsement(
  output: Output,
  event: string,
  { item, judgement, from, refreshFailed }: Endorsement,
): void {
  const { issued, expires } = judgement;
  const window = `${issued.toISOString()} to ${expires?.toISOString() ?? 'an end it does not state'}`;
  output.step(event, `${item.subject}: ${from === 'network' ? item.source : `the ${from}`}, ${window}`, {
    subject: item.subject,
    mediaType: item.mediaType,
    from,
    source: item.source,
    fetchedAt: item.fetchedAt.toISOString(),
    issued: issued.toISOString(),
    ...(expires === undefined ? {} : { expires: expires.toISOString() }),
    ...(refreshFailed === undefined ? {} : { refreshFailed }),
  });
  if (refreshFailed !== undefined) {
    output.warn(`${item.subject} could not be refreshed (${refreshFailed}); the copy that is still valid was used.`);
  }
}
