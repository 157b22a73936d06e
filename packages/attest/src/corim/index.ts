/** Reference integrity manifests (CoRIM): reading them, checking who signed them, and turning them into policy. */
import './errors.ts';
export { importCorim, type ImportedCorim } from './import.ts';
export { openCorim, type OpenCorimOptions, type OpenedCorim } from './open.ts';
export { corimProfiles, type CorimProfile, type CorimSections } from './profiles/index.ts';
export type { ArmEndorsements } from './profiles/arm.ts';
export type { CcaRealmReferences } from './profiles/cca-realm.ts';
export type { IntelReferences } from './profiles/intel.ts';
export type { SnpReferences } from './profiles/snp.ts';
export type {
  Comid,
  Corim,
  CorimDigest,
  CorimEnvironment,
  CorimIdentifier,
  CorimKey,
  CorimKeyKind,
  CorimKeyTriple,
  CorimMeasurement,
  CorimValidity,
  CorimValues,
  CorimValueTriple,
} from './types.ts';
