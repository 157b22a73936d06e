import { tokenTrustworthiness } from '../token/trustworthiness.ts';

/** What NRAS tokens contribute to attestation results. */
export const nvidiaNrasTrustworthiness = tokenTrustworthiness(['NRAS_DEBUG']);
