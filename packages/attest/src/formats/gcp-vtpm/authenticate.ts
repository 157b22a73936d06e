import { Checklist } from '../../checks.ts';
import type { VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, type AttestationPolicy } from '../../policy/policy.ts';
import { requireTime } from '../../time.ts';
import type { TrustAnchors } from '../../trust/anchors.ts';
import { authenticateAkCertificates } from '../tpm/ak-certificates.ts';
import { authenticateQuote } from '../tpm/quote.ts';
import { AuthenticQuote, ParsedQuote } from '../tpm/stages.ts';
import type { InstanceInfo } from './instance-info.ts';
import type { ClaimedInstance } from './parse.ts';

/**
 * Establishes that Google vouches for the attestation key and the instance it belongs to (chain by key to a pinned root,
 * purposes, validity, revocation), that the key signed the quote, and that the quote covers the registers.
 *
 * Throws the TPM_ or GCP_VTPM_ code of the first check that fails, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID.
 */
export async function authenticate(
  parsed: ParsedQuote<ClaimedInstance>,
  options: VerificationMeans & {
    readonly policy: AttestationPolicy;
    readonly anchors: TrustAnchors;
    readonly now: Date;
  },
): Promise<AuthenticQuote<InstanceInfo>> {
  const signed = ParsedQuote.signedPartOf(parsed, 'gcp-vtpm');
  const policy = parseAttestationPolicy(options.policy);
  const now = requireTime(options.now);
  const { certificates, instance } = parsed.trust;
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });

  const anchors = options.anchors.gcpVtpm ?? [];
  await authenticateAkCertificates(certificates, { ...options, anchors, purpose: 'stated-or-none', now }, checks);
  checks.require('GCP_VTPM_NOT_PRODUCTION', instance.production, {
    expected: "a key of Google's production environment",
    actual: instance.production ? 'such' : 'another environment',
  });
  const authentic = await authenticateQuote(parsed, signed, certificates.leaf.spki, checks, options);
  return new AuthenticQuote({ ...authentic, trust: instance, at: now.getTime(), ...checks.results() }, 'gcp-vtpm');
}
