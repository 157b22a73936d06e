import { tokenTrustworthiness } from '../token/trustworthiness.ts';

/** What Azure Attestation tokens contribute to attestation results. */
export const azureMaaTrustworthiness = tokenTrustworthiness(['MAA_DEBUG', 'MAA_MIGRATION']);
