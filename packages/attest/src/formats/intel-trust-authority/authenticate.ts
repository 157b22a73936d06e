import { parseAttestationPolicy, sectionOf } from '../../policy/policy.ts';
import { authenticateToken, type AuthenticateOptions } from '../token/authenticate.ts';
import type { AuthenticToken, ParsedToken } from '../token/stages.ts';
import { intelTrustAuthority } from './layout.ts';

/**
 * Establishes that an accepted issuer of Intel Trust Authority signed the token. Throws TOKEN_..., JWS_..., X509_...,
 * ATTEST_....
 */
export async function authenticate(parsed: ParsedToken, options: AuthenticateOptions): Promise<AuthenticToken> {
  const policy = parseAttestationPolicy(options.policy);
  const { issuers } = sectionOf(policy, 'intelTrustAuthority');
  return authenticateToken(parsed, intelTrustAuthority, issuers, { ...options, policy });
}
