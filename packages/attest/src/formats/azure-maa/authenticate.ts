import { parseAttestationPolicy, sectionOf } from '../../policy/policy.ts';
import { authenticateToken, type AuthenticateOptions } from '../token/authenticate.ts';
import type { AuthenticToken, ParsedToken } from '../token/stages.ts';
import { azureMaa } from './layout.ts';

/**
 * Establishes that an accepted instance of Azure Attestation signed the token. Each instance has its own issuer, and anybody
 * can open one and give it a policy of his own: name yours, and mind `policyHashes`. Throws TOKEN_..., JWS_..., X509_...,
 * ATTEST_....
 */
export async function authenticate(parsed: ParsedToken, options: AuthenticateOptions): Promise<AuthenticToken> {
  const policy = parseAttestationPolicy(options.policy);
  return authenticateToken(parsed, azureMaa, sectionOf(policy, 'azureMaa').issuers, { ...options, policy });
}
