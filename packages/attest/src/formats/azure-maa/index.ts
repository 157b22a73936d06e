/** Tokens of Microsoft Azure Attestation: parse, authenticate, appraise. Each stage takes what the one before it made. */
import type { Cmw } from '../../cmw.ts';
import { encodeTokenEvidence } from '../token/parse.ts';
import { azureMaa } from './layout.ts';

export { encodeCrl, encodeKeySet } from '../token/parse.ts';
export type { AuthenticToken, ParsedToken, TokenPart, TokenSigner } from '../token/stages.ts';
export { appraise } from './appraise.ts';
export { authenticate } from './authenticate.ts';
export { parse } from './parse.ts';

/** Wraps a token, as the service returned it, as evidence. */
export function encodeAzureMaaEvidence(token: string): Cmw {
  return encodeTokenEvidence(token, azureMaa);
}
