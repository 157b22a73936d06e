import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import {
  completeEndorsements,
  decodeEndorsementBundle,
  encodeEndorsementBundle,
  fetchSubject,
  importEndorsementBundle,
  type Endorsement,
} from '@fastness/evidence/endorsements';
import { loadAnchors } from '../support/attest/anchors-file.ts';
import { formatNames, loadEvidence } from '../support/attest/evidence-file.ts';
import { action } from '../support/command.ts';
import {
  completionOf,
  homeCache,
  openSource,
  printEndorsement,
  withSourceOptions,
  type SourceOptions,
} from '../support/endorsements.ts';
import { formatBytes } from '../support/format.ts';
import { writeFileAtomic } from '../support/home.ts';
import type { Context } from '../support/run.ts';

interface EndorsementsOptions extends SourceOptions {
  readonly subject?: readonly string[];
  readonly anchors?: string;
  readonly format?: string;
}

const CACHE = "folder of the cache (default: the home's endorsements)";
const ANCHORS = "roots that count instead of the vendors' (for tests and private roots)";

export function endorsementsCommand(): Command {
  const endorsements = new Command('endorsements').description(
    "fetch, keep and carry what vendors say about the hardware: certificates, revocation lists, Intel's TCB info",
  );
  withFetchOptions(endorsements.command('fetch'))
    .description('fetch what evidence needs into the cache; exit code 0 only if everything is there')
    .action(
      action<EndorsementsOptions>(async (context, options, paths) => {
        await fetchFor(context, options, paths);
      }),
    );
  withFetchOptions(endorsements.command('bundle'))
    .description('fetch what evidence needs into one file, for a site without access to the vendors')
    .requiredOption('--out <file>', 'the bundle')
    .action(
      action<EndorsementsOptions & { readonly out: string }>(async (context, options, paths) => {
        const fetched = await fetchFor(context, options, paths);
        const bundle = encodeEndorsementBundle(fetched, new Date());
        for (const { item } of fetched.filter(({ signed }) => !signed)) {
          context.output.warn(`${item.subject} is signed by nobody and stays out: pin what it holds in the policy.`);
        }
        await writeFileAtomic(options.out, bundle, 0o644);
        context.output.step('bundled', `Bundle ${options.out}: ${formatBytes(bundle.length)}`, {
          file: options.out,
          bytes: bundle.length,
          items: new Set(fetched.filter(({ signed }) => signed).map(({ item }) => item.subject)).size,
        });
      }),
    );
  endorsements
    .command('import')
    .description('judge every item of a bundle and put it into the cache; exit code 0 only if all of them are good')
    .argument('<file>', 'a bundle')
    .option('--endorsements-cache <dir>', CACHE)
    .option('--anchors <file>', ANCHORS)
    .action(action<EndorsementsOptions>(async (context, options, [path = '']) => importBundle(context, options, path)));
  endorsements
    .command('show')
    .description('list what a bundle holds, without verifying it')
    .argument('<file>', 'a bundle')
    .action(action(async (context, _options, [path = '']) => showBundle(context, path)));
  return endorsements;
}

function withFetchOptions(command: Command): Command {
  return withSourceOptions(
    command.argument(
      '[evidence...]',
      'evidence files: CMW (JSON or CBOR), a collection, or what the vendor tools write',
    ),
    CACHE,
  )
    .option('--format <kind>', `how to read the files: ${formatNames.join(', ')}`, 'auto')
    .option(
      '--subject <names...>',
      'fetch by name, without evidence: amd/crl/vcek/Genoa, intel/qe-identity/tdx/standard, ...',
    )
    .option('--anchors <file>', ANCHORS);
}

async function fetchFor(
  { home, output, signal }: Context,
  options: EndorsementsOptions,
  paths: readonly string[],
): Promise<readonly Endorsement[]> {
  const { subject: subjects = [] } = options;
  if (paths.length + subjects.length === 0) {
    throw new FastnessError('CLI_USAGE', 'Name evidence files, or endorsements with --subject.');
  }
  const anchors = await loadAnchors(options.anchors);
  const completion = completionOf(options);
  const evidence = await Promise.all(paths.map(async (path) => loadEvidence(path, options.format ?? 'auto')));
  const source = await openSource(options, { directory: options.endorsementsCache ?? homeCache(home), anchors });
  const fetched: Endorsement[] = [];
  for (const [index, loaded] of evidence.entries()) {
    output.progress('evidence', index, evidence.length);
    // What came with the evidence stays out: the cache and the bundle must be complete without it.
    const { fetched: more } = await completeEndorsements({
      ...completion,
      evidence: loaded.evidence,
      endorsements: [],
      source,
      now: new Date(),
      prefer: 'fetched',
      signal,
    });
    if (more.length === 0) output.warn(`${paths[index] ?? ''} needs nothing that can be fetched.`);
    for (const endorsement of more) printEndorsement(output, 'endorsement', endorsement);
    fetched.push(...more);
  }
  output.progress('evidence', evidence.length, evidence.length);
  for (const subject of subjects) {
    const more = await fetchSubject(source, subject, signal);
    for (const endorsement of more) printEndorsement(output, 'endorsement', endorsement);
    fetched.push(...more);
  }
  return fetched;
}

async function importBundle({ home, output }: Context, options: EndorsementsOptions, path: string): Promise<void> {
  const bundle = decodeEndorsementBundle(await readBundle(path));
  const source = await openSource(
    { ...options, offline: true },
    { directory: options.endorsementsCache ?? homeCache(home), anchors: await loadAnchors(options.anchors) },
  );
  const imported = await importEndorsementBundle(bundle, source, (done, total) =>
    output.progress('items', done, total),
  );
  let first: FastnessError | undefined;
  for (const each of imported) {
    if ('error' in each) {
      first ??= each.error;
      output.warn(`Kept out: ${each.item.subject.slice(0, 200)} (${each.error.code})`);
    } else printEndorsement(output, 'imported', each.endorsement);
  }
  const kept = imported.filter((each) => 'endorsement' in each).length;
  output.result({ file: path, kept, refused: imported.length - kept }, [
    `${kept} of ${imported.length} items kept, each verified up to its vendor's root`,
  ]);
  if (first !== undefined) throw first;
}

async function showBundle({ output }: Context, path: string): Promise<void> {
  const { createdAt, items } = decodeEndorsementBundle(await readBundle(path));
  const now = new Date();
  const stale = items.filter(({ expires }) => expires !== undefined && expires < now).length;
  const facts = items.map(({ subject, mediaType, source, fetchedAt, issued, expires, body }) => ({
    subject,
    mediaType,
    bytes: body.length,
    source,
    fetchedAt: fetchedAt.toISOString(),
    issued: issued.toISOString(),
    ...(expires === undefined ? {} : { expires: expires.toISOString() }),
  }));
  output.result({ file: path, createdAt: createdAt.toISOString(), items: facts, expired: stale, verified: false }, [
    `Bundle of ${items.length} endorsements, made ${createdAt.toISOString()}`,
    ...facts.map(
      ({ subject, bytes, issued, expires }) => `  ${subject}  ${formatBytes(bytes)}, ${issued} to ${expires ?? '?'}`,
    ),
  ]);
  if (stale > 0) output.warn(`${stale} of them have expired, by their own account.`);
  output.warn('Nothing here was verified. `fastness endorsements import` and every verification do that.');
}

async function readBundle(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
  }
}
