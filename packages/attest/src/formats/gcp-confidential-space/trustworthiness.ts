import { WARNING } from '../../ear/tiers.ts';
import { tokenTrustworthiness } from '../token/trustworthiness.ts';

/**
 * What Confidential Space tokens contribute to attestation results. SEV and SEV-ES encrypt memory, and their host can still
 * change it: so `runtime-opaque` is a warning there.
 */
export const gcpConfidentialSpaceTrustworthiness = tokenTrustworthiness(['GCS_DEBUG'], (claims) =>
  'hardware' in claims && claims.hardware === 'GCP_INTEL_TDX' ? {} : { 'runtime-opaque': WARNING },
);
