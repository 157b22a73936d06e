import { evidenceFormats, formatOf, isCmwCollection, type Cmw, type CmwCollection, type Tee } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { isEndorsementBundle, readEndorsementBundle } from '@fastness/evidence/endorsements';
import { endorsementCollectors, type EndorsementFile } from './endorsement-collectors.ts';
import { cmwOf, readLimited } from './evidence-file.ts';

/** Files that the caller names with --endorsements, in the form that the verifiers of this evidence read. */
export async function loadEndorsements(
  paths: readonly string[],
  evidence: Cmw | CmwCollection,
): Promise<readonly Cmw[]> {
  const tees = teesIn(evidence);
  const ready: Cmw[] = [];
  const raw: EndorsementFile[] = [];
  for (const path of paths) {
    const bytes = await readLimited(path);
    if (isEndorsementBundle(bytes)) {
      ready.push(...readEndorsementBundle(bytes, { evidence }));
      continue;
    }
    const wrapped = cmwOf(bytes);
    if (wrapped === undefined) raw.push({ path, bytes });
    else ready.push(...(isCmwCollection(wrapped) ? wrapped.records.values() : [wrapped]));
  }
  return [...ready, ...collect(raw, tees)];
}

/** Each file goes to every kind of evidence that knows it; one that none knows is an error, not a file to pass over. */
function collect(files: readonly EndorsementFile[], tees: readonly Tee[]): readonly Cmw[] {
  const known = new Set<EndorsementFile>();
  const collected: Cmw[] = [];
  for (const collector of endorsementCollectors.filter((each) => each.tees.some((tee) => tees.includes(tee)))) {
    const own = files.filter((file) => collector.knows(file));
    for (const file of own) known.add(file);
    if (own.length > 0) collected.push(...collector.collect(own));
  }
  const stray = files.find((file) => !known.has(file));
  if (stray !== undefined) throw notRecognised(stray.path, tees);
  return collected;
}

function teesIn(evidence: Cmw | CmwCollection): readonly Tee[] {
  const records = isCmwCollection(evidence) ? [...evidence.records.values()] : [evidence];
  return records.map((record) => formatOf(record).tee);
}

function notRecognised(path: string, tees: readonly Tee[]): FastnessError {
  const types = evidenceFormats
    .filter(({ tee }) => tees.includes(tee))
    .flatMap(({ endorsementTypes }) => endorsementTypes);
  const wanted =
    types.length === 0
      ? 'this evidence needs none'
      : `expected a CMW of ${types.join(' or ')}, or the vendor's own form`;
  return new FastnessError('CLI_NOT_RECOGNISED', `${path}: ${wanted}.`);
}
