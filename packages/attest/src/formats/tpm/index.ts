/** TPM 2.0 quotes under a pinned attestation key: parse, authenticate, appraise. Each stage takes what the one before it made. */
export { appraise } from './appraise.ts';
export type { PcrSelection, TpmQuote } from './attest.ts';
export { authenticate } from './authenticate.ts';
export type { PcrValues, QuoteContent } from './content.ts';
export {
  decodeVtpmEndorsements,
  encodeTpmEvidence,
  encodeVtpmEndorsements,
  type TpmEvidence,
  type VtpmEndorsements,
} from './evidence.ts';
export { parse, type ClaimedKey } from './parse.ts';
export { attestationKeyOf } from './public-area.ts';
export type { AuthenticQuote, ParsedQuote } from './stages.ts';
