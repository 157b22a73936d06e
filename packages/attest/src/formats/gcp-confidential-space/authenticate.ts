import { parseAttestationPolicy, sectionOf } from '../../policy/policy.ts';
import { authenticateToken, type AuthenticateOptions } from '../token/authenticate.ts';
import type { AuthenticToken, ParsedToken } from '../token/stages.ts';
import { GCS_ISSUER, gcpConfidentialSpace } from './layout.ts';

/**
 * Establishes that Google's production service signed the token. PKI tokens bring the chain to Google's root; tokens of type
 * OIDC are signed with keys of a set that changes, which the policy must pin. Throws TOKEN_..., JWS_..., X509_..., ATTEST_....
 */
export async function authenticate(parsed: ParsedToken, options: AuthenticateOptions): Promise<AuthenticToken> {
  const policy = parseAttestationPolicy(options.policy);
  const { signingKeys, authorities } = sectionOf(policy, 'gcpConfidentialSpace');
  const issuers = [{ issuer: GCS_ISSUER, signingKeys, authorities }];
  return authenticateToken(parsed, gcpConfidentialSpace, issuers, { ...options, policy });
}
