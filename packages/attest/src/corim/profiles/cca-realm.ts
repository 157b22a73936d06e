import { equalBytes, toHex } from '@fastness/codec';
import { corimError } from '../fields.ts';
import type { Corim, CorimMeasurement, CorimValueTriple } from '../types.ts';
import { requireNothingElse, shaOf } from './arm.ts';
import { merged } from './merge.ts';
import { nameOf } from './psa.ts';

/** Profile of endorsements of CCA realms (draft-ydb-rats-cca-endorsements, section 3.2.2). */
export const CCA_REALM_CORIM_PROFILE = 'tag:arm.com,2025:cca_realm#1.0.0';

/** Reference values of realms: parts of section `armCca`. */
export interface CcaRealmReferences {
  readonly measurements: readonly string[];
  readonly rems?: Readonly<Partial<Record<0 | 1 | 2 | 3, readonly string[]>>>;
  readonly personalizationValues?: readonly string[];
}

const registers = ['cca.rem0', 'cca.rem1', 'cca.rem2', 'cca.rem3'];
const RPV_BYTES = 64;

/**
 * A realm is named by its initial measurement, which must be among its reference values; registers and personalization value
 * are optional (sections 3.2.1 and 3.2.3). Several realms must agree in the latter, as a policy cannot tie them to one
 * measurement. @throws CORIM_* for whatever does not follow the profile
 */
export function mapCcaRealmCorim({ comids }: Corim): CcaRealmReferences {
  const realms = comids.flatMap(({ references }) => references.map((triple) => readRealm(triple)));
  if (realms.length === 0) throw corimError('CORIM_EMPTY', 'No reference values of a realm.');
  return merged(realms.map(({ rim, rest }) => [rim, rest]));
}

function readRealm({ environment, measurements }: CorimValueTriple): {
  readonly rim: string;
  readonly rest: Omit<CcaRealmReferences, 'measurements'>;
} {
  const id = environment.class?.id;
  if (id?.kind !== 'bytes' || ![32, 48, 64].includes(id.value.length)) {
    throw corimError(
      'CORIM_CLASS',
      `The class must be an initial measurement with tag 560, not ${id?.kind ?? 'absent'}.`,
    );
  }
  if (environment.instance !== undefined || environment.group !== undefined) {
    throw corimError('CORIM_INSTANCE', 'A realm has no instance and no group.');
  }
  const found = new Map<string, Uint8Array>();
  for (const measurement of measurements) {
    const { key } = measurement;
    if (typeof key !== 'string' || !['cca.rim', 'cca.rpv', ...registers].includes(key)) {
      throw corimError('CORIM_MKEY', `cca.rim, cca.rpv or cca.rem0 to 3 is wanted, not ${nameOf(key)}.`);
    }
    if (found.has(key)) throw corimError('CORIM_DOUBLED', key);
    found.set(key, key === 'cca.rpv' ? readPersonalization(measurement) : readRegister(measurement));
  }
  const rim = found.get('cca.rim');
  if (rim === undefined || !equalBytes(rim, id.value)) {
    throw corimError('CORIM_RIM', rim === undefined ? 'None.' : 'Another one than the environment names.');
  }
  const rpv = found.get('cca.rpv');
  const rems = Object.fromEntries(
    registers.flatMap((name, index) => {
      const value = found.get(name);
      return value === undefined ? [] : [[index, [toHex(value)]] as const];
    }),
  );
  return {
    rim: toHex(rim),
    rest: {
      ...(Object.keys(rems).length === 0 ? {} : { rems }),
      ...(rpv === undefined ? {} : { personalizationValues: [toHex(rpv)] }),
    },
  };
}

function readRegister({ values, authorized }: CorimMeasurement): Uint8Array {
  if (authorized) throw corimError('CORIM_AUTHORITY', 'A measurement of a realm.');
  const [digest, ...others] = values.digests ?? [];
  if (digest === undefined || others.length > 0) {
    throw corimError('CORIM_DIGESTS', `One digest is wanted, not ${values.digests?.length ?? 0}.`);
  }
  shaOf(digest.algorithm);
  requireNothingElse(values, ['digests']);
  return digest.value;
}

function readPersonalization({ values, authorized }: CorimMeasurement): Uint8Array {
  if (authorized) throw corimError('CORIM_AUTHORITY', 'A personalization value.');
  const { rawValue } = values;
  if (rawValue?.value.length !== RPV_BYTES || rawValue.mask !== undefined) {
    throw corimError('CORIM_RAW_VALUE', `A personalization value has ${RPV_BYTES} bytes and no mask.`);
  }
  requireNothingElse(values, ['rawValue']);
  return rawValue.value;
}
