/** Detached EATs of NVIDIA's Remote Attestation Service: parse, authenticate, appraise. */
import type { Cmw } from '../../cmw.ts';
import { encodeTokenEvidence } from '../token/parse.ts';
import { nvidiaNras } from './layout.ts';

export { encodeCrl, encodeKeySet } from '../token/parse.ts';
export type { AuthenticToken, ParsedToken, TokenPart, TokenSigner } from '../token/stages.ts';
export { appraise } from './appraise.ts';
export { authenticate } from './authenticate.ts';
export { NRAS_ISSUER } from './layout.ts';
export { parse } from './parse.ts';

/** Wraps a detached EAT bundle, JSON as the service returned it, as evidence. */
export function encodeNvidiaNrasEvidence(bundle: string): Cmw {
  return encodeTokenEvidence(bundle, nvidiaNras);
}
