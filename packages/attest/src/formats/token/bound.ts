import type { Cmw } from '../../cmw.ts';
import { parse as parseConfidentialSpace } from '../gcp-confidential-space/parse.ts';
import { parse as parseNras } from '../nvidia-nras/parse.ts';
import { bytesOf, type ClaimEncoding } from './claims.ts';

/** What a token of Confidential Space says it is bound to: its one nonce. Undefined where there are several. */
export function boundInConfidentialSpace(evidence: Cmw, encoding: ClaimEncoding = 'base64url'): Uint8Array | undefined {
  const nonce = parseConfidentialSpace(evidence).token.claims['eat_nonce'];
  const [only, ...more] = Array.isArray(nonce) ? nonce : [nonce];
  return typeof only === 'string' && more.length === 0 ? bytesOf(only, encoding) : undefined;
}

/** What a detached EAT of NRAS says it is bound to. */
export function boundInNras(evidence: Cmw): Uint8Array | undefined {
  const nonce = parseNras(evidence).token.claims['eat_nonce'];
  return typeof nonce === 'string' ? bytesOf(nonce, 'hex') : undefined;
}
