import type { NitroClaims } from './claims-nitro.ts';
import type { SgxClaims, TdxClaims } from './claims-dcap.ts';
import type { SnpClaims } from './claims-snp.ts';

/** Facts that were authenticated and that the policy accepts; `tee` says of which kind. */
export type Claims = SnpClaims | TdxClaims | SgxClaims | NitroClaims;
