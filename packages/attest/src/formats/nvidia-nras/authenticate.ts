import { parseAttestationPolicy, sectionOf } from '../../policy/policy.ts';
import { authenticateToken, type AuthenticateOptions } from '../token/authenticate.ts';
import type { AuthenticToken, ParsedToken } from '../token/stages.ts';
import { NRAS_ISSUER, nvidiaNras } from './layout.ts';

/**
 * Establishes that NVIDIA's production service signed the overall token and that of every device. Its keys come from a set
 * that changes: pin those of the moment, or the authority that certifies them. Throws TOKEN_..., JWS_..., X509_..., ATTEST_....
 */
export async function authenticate(parsed: ParsedToken, options: AuthenticateOptions): Promise<AuthenticToken> {
  const policy = parseAttestationPolicy(options.policy);
  const { signingKeys, authorities } = sectionOf(policy, 'nvidiaNras');
  return authenticateToken(parsed, nvidiaNras, [{ issuer: NRAS_ISSUER, signingKeys, authorities }], {
    ...options,
    policy,
  });
}
