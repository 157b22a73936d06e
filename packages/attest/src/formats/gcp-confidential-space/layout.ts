import { GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE } from '../../media-types.ts';
import type { TokenService } from '../token/service.ts';

/** Google Cloud Attestation for Confidential Space: tokens are signed with RS256 and live for an hour. */
export const gcpConfidentialSpace: TokenService = Object.freeze({
  tee: 'gcp-confidential-space',
  name: 'Google Confidential Space',
  evidenceType: GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  algorithms: Object.freeze(['RS256'] as const),
  maxLifetimeSeconds: 3600,
});

/** The issuer of Google's production service. */
export const GCS_ISSUER = 'https://confidentialcomputing.googleapis.com';
/** `eat_profile`: the documentation of the claims. */
export const GCS_PROFILE =
  'https://cloud.google.com/confidential-computing/confidential-space/docs/reference/token-claims';
/** `oemid`: Google's Private Enterprise Number. */
export const GCS_OEM = 11_129;
/** `swname` of hardened and debug images that passed validation. */
export const GCS_SOFTWARE = 'CONFIDENTIAL_SPACE';
/** `dbgstat` of production images. */
export const GCS_NOT_DEBUGGED = 'disabled-since-boot';
/** Nonces are texts of at most 88 characters: 66 bytes in base64url. */
export const MAX_NONCE_BYTES = 66;
