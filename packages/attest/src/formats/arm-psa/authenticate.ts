import { Checklist } from '../../checks.ts';
import type { Cmw } from '../../cmw.ts';
import { keyFits, sign1Holds } from '../../cose-signatures.ts';
import { evidenceVerifier, type VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { requireTime } from '../../time.ts';
import { findEndorsement } from '../arm/endorsements.ts';
import { AuthenticToken, ParsedToken } from './stages.ts';

/**
 * Establishes that the device which the token names signed it: its attestation key is looked up by instance id and
 * implementation id, in the policy or in CoRIMs that one of the policy's signers signed (RFC 9783, section 8). There is no
 * vendor root: who may endorse devices is the policy's decision. Nothing here says that the key is still the device's alone;
 * a key that was extracted is taken back by denying its instance, or by a CoRIM without it.
 *
 * Throws the PSA_ code of the first check that fails, CORIM_... for an endorsement that is not acceptable, X509_KEY,
 * ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID, ATTEST_TEE_NOT_ALLOWED, ATTEST_ENDORSEMENT_UNSUPPORTED.
 */
export async function authenticate(
  parsed: ParsedToken,
  options: VerificationMeans & {
    readonly policy: AttestationPolicy;
    readonly endorsements: readonly Cmw[];
    readonly now: Date;
  },
): Promise<AuthenticToken> {
  const { sign1, signature } = ParsedToken.messageOf(parsed);
  const policy = parseAttestationPolicy(options.policy);
  const now = requireTime(options.now);
  const { token } = parsed;
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });

  const { holder, endorser, references } = await findEndorsement({
    identity: token,
    trust: sectionOf(policy, 'armPsa'),
    endorsements: options.endorsements,
    select: ({ armPsa }) => armPsa,
    codes: {
      unknown: 'PSA_KEY_UNKNOWN',
      implementation: 'PSA_IMPLEMENTATION_MISMATCH',
      ambiguous: 'PSA_KEY_AMBIGUOUS',
    },
    now,
    means: options,
    checks,
  });
  const { publicKey } = holder;
  checks.require('PSA_KEY_TYPE', keyFits(holder, signature), {
    expected: `${signature.curve ?? ''} for ${signature.name}`,
    actual: publicKey.algorithm === 'EC' ? publicKey.curve : publicKey.algorithm,
  });
  const holds = await sign1Holds(sign1, holder, signature, evidenceVerifier(options));
  checks.require('PSA_SIGNATURE', holds, {
    expected: `the key of ${token.instanceId} signed the token`,
    actual: holds ? 'it did' : 'it did not',
  });
  return new AuthenticToken({ token, endorser, references, at: now.getTime(), ...checks.results() });
}
