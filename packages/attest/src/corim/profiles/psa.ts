import type { Corim } from '../types.ts';
import { corimError } from '../fields.ts';
import { mapArmEndorsements, type ArmEndorsements } from './arm.ts';

/** Profile of endorsements of PSA devices (draft-fdb-rats-psa-endorsements, section 3.1). */
export const PSA_CORIM_PROFILE = 'tag:arm.com,2025:psa#1.0.0';

const COMPONENT = 'psa.software-component';

/** @throws CORIM_* for whatever does not follow the profile */
export function mapPsaCorim({ comids }: Corim): ArmEndorsements {
  return mapArmEndorsements(comids, COMPONENT, ({ key }) => {
    throw corimError('CORIM_MKEY', `${COMPONENT} is wanted, not ${nameOf(key)}.`);
  });
}

/** The name of a measurement for an error. */
export function nameOf(key: unknown): string {
  return typeof key === 'string' || typeof key === 'number' ? JSON.stringify(key).slice(0, 64) : 'another kind of name';
}
