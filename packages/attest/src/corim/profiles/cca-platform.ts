import { toHex } from '@fastness/codec';
import type { Corim } from '../types.ts';
import { corimError } from '../fields.ts';
import { mapArmEndorsements, requireNothingElse, type ArmEndorsements } from './arm.ts';
import { nameOf } from './psa.ts';

/** Profile of endorsements of CCA platforms (draft-ydb-rats-cca-endorsements, section 3.1.1). */
export const CCA_PLATFORM_CORIM_PROFILE = 'tag:arm.com,2025:cca_platform#1.0.0';

const COMPONENT = 'cca.software-component';
const CONFIGURATION = 'cca.platform-config';

/**
 * Beside software components a state may hold one configuration, a raw value with or without a mask (section 3.1.3.2).
 * @throws CORIM_* for whatever does not follow the profile
 */
export function mapCcaPlatformCorim({ comids }: Corim): ArmEndorsements {
  return mapArmEndorsements(comids, COMPONENT, ({ key, values, authorized }) => {
    if (key !== CONFIGURATION) throw corimError('CORIM_MKEY', `${COMPONENT} is wanted, not ${nameOf(key)}.`);
    if (authorized) throw corimError('CORIM_AUTHORITY', 'A platform configuration.');
    const { rawValue } = values;
    if (rawValue === undefined || rawValue.value.length > 256) {
      throw corimError('CORIM_RAW_VALUE', 'A platform configuration has a raw value of at most 256 bytes.');
    }
    requireNothingElse(values, ['rawValue']);
    const { value, mask } = rawValue;
    return { configuration: { value: toHex(value), ...(mask === undefined ? {} : { mask: toHex(mask) }) } };
  });
}
