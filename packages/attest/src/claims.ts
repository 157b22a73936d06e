import type { SnpClaims } from './claims-snp.ts';

/** Facts that were authenticated and that the policy accepts; `tee` says of which kind. */
export type Claims = SnpClaims;
