import { Checklist } from '../../checks.ts';
import type { TpmClaims } from '../../claims/tpm.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { appraiseNonce, appraiseQuote, nonceArgument } from './appraise-quote.ts';
import { AuthenticQuote } from './stages.ts';

/**
 * Applies a policy to an authentic quote. `expectedReportData` is the nonce that the quote must have been asked with, 1 to 64
 * bytes: 32 of them are fresh; TPMs whose largest digest is SHA-256 take no more. It is compared first of all.
 *
 * Throws the TPM_ or EVENT_LOG_ code of the first requirement that is not met, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID,
 * ATTEST_POLICY_INCOMPLETE, ATTEST_TEE_NOT_ALLOWED, ATTEST_ARGUMENT_INVALID.
 */
export async function appraise(
  authentic: AuthenticQuote<undefined>,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): Promise<AttestationVerdict> {
  AuthenticQuote.require(authentic, 'tpm');
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'tpm');
  const measurements = filledIn(policy, section.measurements);
  const nonce = nonceArgument(options.expectedReportData);
  const checks: Checklist = new Checklist(policy.waivers, authentic);

  appraiseNonce(authentic, nonce, checks);
  const facts = await appraiseQuote(authentic, { ...section, measurements }, checks);
  const claims: TpmClaims = Object.freeze({
    tee: 'tpm',
    vendor: 'none',
    identity: Object.freeze({ kind: 'attestation-key', value: facts.attestationKey }),
    debug: false,
    ...facts,
  });
  return verdictOf(claims, checks, policy);
}
