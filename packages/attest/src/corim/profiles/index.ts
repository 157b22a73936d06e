import type { Corim } from '../types.ts';
import type { ArmEndorsements } from './arm.ts';
import { CCA_PLATFORM_CORIM_PROFILE, mapCcaPlatformCorim } from './cca-platform.ts';
import { CCA_REALM_CORIM_PROFILE, mapCcaRealmCorim, type CcaRealmReferences } from './cca-realm.ts';
import { INTEL_CORIM_PROFILE, mapIntelCorim, type IntelReferences } from './intel.ts';
import { mapPsaCorim, PSA_CORIM_PROFILE } from './psa.ts';
import { mapSnpCorim, SNP_CORIM_PROFILE, type SnpReferences } from './snp.ts';

/** What a manifest says in the terms of a policy: members to be put into its sections. */
export interface CorimSections extends IntelReferences {
  readonly armPsa?: ArmEndorsements;
  /** Of a platform: keys and reference states. Of realms: measurements and registers. */
  readonly armCca?: ArmEndorsements | CcaRealmReferences;
  readonly snp?: SnpReferences;
}

/** One profile of manifests and what becomes of them. */
export interface CorimProfile {
  readonly profile: string;
  /** For people. */
  readonly name: string;
  readonly map: (corim: Corim) => CorimSections;
}

/** The profiles that are read; below this table nothing switches on them. */
export const corimProfiles: readonly CorimProfile[] = Object.freeze([
  Object.freeze({
    profile: PSA_CORIM_PROFILE,
    name: 'PSA devices',
    map: (corim: Corim) => ({ armPsa: mapPsaCorim(corim) }),
  }),
  Object.freeze({
    profile: CCA_PLATFORM_CORIM_PROFILE,
    name: 'Arm CCA platforms',
    map: (corim: Corim) => ({ armCca: mapCcaPlatformCorim(corim) }),
  }),
  Object.freeze({
    profile: CCA_REALM_CORIM_PROFILE,
    name: 'Arm CCA realms',
    map: (corim: Corim) => ({ armCca: mapCcaRealmCorim(corim) }),
  }),
  Object.freeze({
    profile: SNP_CORIM_PROFILE,
    name: 'AMD SEV-SNP guests',
    map: (corim: Corim) => ({ snp: mapSnpCorim(corim) }),
  }),
  Object.freeze({ profile: INTEL_CORIM_PROFILE, name: 'Intel TDs and enclaves', map: mapIntelCorim }),
]);
