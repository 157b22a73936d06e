import { Checklist } from '../../checks.ts';
import type { VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import type { TrustAnchors } from '../../trust/anchors.ts';
import { fingerprintsOf } from '../../digest.ts';
import { requireTime } from '../../time.ts';
import { requireCertifiedLevel } from './certified-level.ts';
import { checkChainShape, checkValidity, requireRoot } from './chain.ts';
import { checkSignatures } from './signatures.ts';
import { AuthenticKey, ParsedKey } from './stages.ts';
import { requireUnrevoked } from './status.ts';

/**
 * Establishes that a pinned root vouches for the attestation: the certificates are a chain from the attested key to that
 * root, those between are in their time, none is on the status list. Whether the attestation was made in secure hardware is
 * said inside it, must agree with what the attestation key was certified for, and is judged by `appraise`.
 *
 * Throws the ANDROID_ code of the first check that fails, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID,
 * ATTEST_TEE_NOT_ALLOWED, X509_KEY.
 */
export async function authenticate(
  parsed: ParsedKey,
  options: VerificationMeans & {
    readonly policy: AttestationPolicy;
    readonly anchors: TrustAnchors;
    readonly now: Date;
  },
): Promise<AuthenticKey> {
  const sent = ParsedKey.sentWith(parsed);
  const policy = parseAttestationPolicy(options.policy);
  const now = requireTime(options.now);
  const { chain, description, certificatesIssued } = parsed;
  const { roots = [], status } = options.anchors.androidKey ?? {};
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });

  const rootKnown = await requireRoot(chain, roots, checks);
  checkChainShape(chain, checks);
  await checkSignatures(chain, rootKnown, options, checks);
  checkValidity(chain, now, checks);
  requireCertifiedLevel(chain[1], description.attestationSecurityLevel, checks);
  const section = sectionOf(policy, 'androidKey');
  await requireUnrevoked(chain, { anchor: status, sent, policy: section, now }, checks);
  const [leaf, attestation] = chain;
  return new AuthenticKey({
    description,
    spki: leaf?.spki.slice() ?? new Uint8Array(),
    attestationKey: attestation === undefined ? '' : (await fingerprintsOf(attestation)).spki,
    certificatesIssued,
    at: now.getTime(),
    ...checks.results(),
  });
}
