import { anyOf, Checklist } from '../../checks.ts';
import { sha256Hex } from '../../digest.ts';
import type { VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { requireTime } from '../../time.ts';
import { authenticateQuote } from './quote.ts';
import type { ClaimedKey } from './parse.ts';
import { AuthenticQuote, ParsedQuote } from './stages.ts';

/**
 * Establishes that an attestation key which the policy pins signed the quote, and that the quote covers the registers. No
 * vendor vouches for the key: whoever wrote the policy took it from the machine and knows that its TPM will not give it away
 * (`attestationKeyOf` reads a public area and refuses keys that are not restricted).
 *
 * Throws the TPM_ code of the first check that fails, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID, ATTEST_TEE_NOT_ALLOWED.
 */
export async function authenticate(
  parsed: ParsedQuote<ClaimedKey>,
  options: VerificationMeans & { readonly policy: AttestationPolicy; readonly now: Date },
): Promise<AuthenticQuote<undefined>> {
  const signed = ParsedQuote.signedPartOf(parsed, 'tpm');
  const policy = parseAttestationPolicy(options.policy);
  const { attestationKeys } = sectionOf(policy, 'tpm');
  const now = requireTime(options.now);
  // A copy, so that the key that is compared is the key that verifies.
  const attestationKey = parsed.trust.attestationKey.slice();
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });

  const digest = await sha256Hex(attestationKey);
  checks.require('TPM_KEY_NOT_PINNED', attestationKeys.includes(digest), {
    expected: anyOf(attestationKeys),
    actual: digest,
  });
  const authentic = await authenticateQuote(parsed, signed, attestationKey, checks, options);
  return new AuthenticQuote({ ...authentic, trust: undefined, at: now.getTime(), ...checks.results() }, 'tpm');
}
