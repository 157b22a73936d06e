import { toHex } from '@fastness/codec';
import { corimError } from '../fields.ts';
import type { Corim, CorimIdentifier, CorimMeasurement, CorimValueTriple } from '../types.ts';
import { requireNothingElse } from './arm.ts';
import { merged } from './merge.ts';
import { nameOf } from './psa.ts';

/** Profile of reference values for SEV-SNP guests (draft-deeglaze-amd-sev-snp-corim-profile-03, section 3.1). */
export const SNP_CORIM_PROFILE = 'tag:amd.com,2025:snp-corim-profile';

/** Reference values of SEV-SNP guests: parts of section `snp`. */
export interface SnpReferences {
  readonly measurements: readonly string[];
  readonly signingKeys: readonly ('vcek' | 'vlek')[];
  readonly vmpl?: readonly number[];
  readonly idKeyDigests?: readonly string[];
  readonly authorKeyDigests?: readonly string[];
}

/** Which key signs reports of a class: OIDs 1.3.6.1.4.1.3704.3.1 and .2; the draft's examples keep the DER header. */
const classes: ReadonlyMap<string, 'vcek' | 'vlek'> = new Map([
  ['2b060104019c780301', 'vcek'],
  ['06092b060104019c780301', 'vcek'],
  ['2b060104019c780302', 'vlek'],
  ['06092b060104019c780302', 'vlek'],
]);
/** Names of the fields of a report that a policy can compare (section 3.1.2.1). */
const VMPL = 5;
const MEASUREMENT = 641;
const ID_KEY_DIGEST = 643;
const AUTHOR_KEY_DIGEST = 644;

/**
 * Maps the launch measurement, the digests of the keys that signed it and the VMPL. Fields that a policy expresses otherwise
 * (guest policy, TCB, chips) make a manifest unusable here: left out, they would not be compared.
 * @throws CORIM_CLASS, CORIM_NOT_MAPPABLE, CORIM_DOUBLED, CORIM_DIGESTS, CORIM_VALUES, CORIM_EMPTY
 */
export function mapSnpCorim({ comids }: Corim): SnpReferences {
  const states = comids.flatMap(({ references }) => references.map((triple) => readGuest(triple)));
  if (states.length === 0) throw corimError('CORIM_EMPTY', 'No reference values.');
  return merged(states);
}

function readGuest({ environment, measurements }: CorimValueTriple): [string, Omit<SnpReferences, 'measurements'>] {
  const signingKey = classOf(environment.class?.id);
  if (environment.instance !== undefined || environment.group !== undefined) {
    throw corimError('CORIM_NOT_MAPPABLE', 'Reference values of one chip, provider or group.');
  }
  const digests = new Map<number, string>();
  let vmpl: number | undefined;
  for (const measurement of measurements) {
    const { key, values, authorized } = measurement;
    if (authorized) throw corimError('CORIM_AUTHORITY', nameOf(key));
    if (key === VMPL && vmpl === undefined && values.integer !== undefined) {
      requireNothingElse(values, ['integer']);
      vmpl = values.integer;
    } else if (key === MEASUREMENT || key === ID_KEY_DIGEST || key === AUTHOR_KEY_DIGEST) {
      if (digests.has(key)) throw corimError('CORIM_DOUBLED', nameOf(key));
      digests.set(key, readSha384(measurement));
    } else throw corimError('CORIM_NOT_MAPPABLE', `Report field ${nameOf(key)}.`);
  }
  const measurement = digests.get(MEASUREMENT);
  if (measurement === undefined) throw corimError('CORIM_NOT_MAPPABLE', 'A guest without a launch measurement.');
  const [idKey, authorKey] = [digests.get(ID_KEY_DIGEST), digests.get(AUTHOR_KEY_DIGEST)];
  return [
    measurement,
    {
      signingKeys: [signingKey],
      ...(vmpl === undefined ? {} : { vmpl: [vmpl] }),
      ...(idKey === undefined ? {} : { idKeyDigests: [idKey] }),
      ...(authorKey === undefined ? {} : { authorKeyDigests: [authorKey] }),
    },
  ];
}

function classOf(id: CorimIdentifier | undefined): 'vcek' | 'vlek' {
  const signingKey = id?.kind === 'oid' ? classes.get(toHex(id.value)) : undefined;
  if (signingKey === undefined) throw corimError('CORIM_CLASS', 'The class must be the OID of VCEK or VLEK.');
  return signingKey;
}

function readSha384({ values }: CorimMeasurement): string {
  const [digest, ...others] = values.digests ?? [];
  if (digest?.algorithm !== 'sha-384' || others.length > 0) {
    throw corimError('CORIM_DIGESTS', 'One SHA-384 digest is wanted.');
  }
  requireNothingElse(values, ['digests']);
  return toHex(digest.value);
}
