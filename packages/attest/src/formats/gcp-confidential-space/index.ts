/** Tokens of Google Confidential Space: parse, authenticate, appraise. Each stage takes what the one before it made. */
import type { Cmw } from '../../cmw.ts';
import { encodeTokenEvidence } from '../token/parse.ts';
import { gcpConfidentialSpace } from './layout.ts';

export { encodeCrl, encodeKeySet } from '../token/parse.ts';
export type { AuthenticToken, ParsedToken, TokenPart, TokenSigner } from '../token/stages.ts';
export { appraise } from './appraise.ts';
export { authenticate } from './authenticate.ts';
export { GCS_ISSUER } from './layout.ts';
export { parse } from './parse.ts';

/** Wraps a token, as the service returned it, as evidence. */
export function encodeGcpConfidentialSpaceEvidence(token: string): Cmw {
  return encodeTokenEvidence(token, gcpConfidentialSpace);
}
