import { tokenTrustworthiness } from '../token/trustworthiness.ts';

/** What Intel Trust Authority tokens contribute to attestation results. */
export const intelTrustAuthorityTrustworthiness = tokenTrustworthiness(['ITA_DEBUG', 'ITA_MIGRATION']);
