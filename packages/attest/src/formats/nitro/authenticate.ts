import { Checklist } from '../../checks.ts';
import type { VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, type AttestationPolicy } from '../../policy/policy.ts';
import { requireTime } from '../../time.ts';
import type { TrustAnchors } from '../../trust/anchors.ts';
import { checkChainShape, checkModule, checkValidity, selectChain } from './chain.ts';
import { checkSignatures } from './signatures.ts';
import { AuthenticDocument, ParsedDocument } from './stages.ts';

/**
 * Establishes that a pinned root vouches for the document: the bundle is a chain from that root to the leaf, every
 * certificate is in its time and place, the leaf was issued to the module that the document names, and signed it.
 *
 * There is no revocation here. AWS states that it uses no CRL for this PKI and that validation must not ask for one
 * (docs/attestation_process.md, section 3.2.4), although its regional and zonal authorities name a distribution point. What
 * limits a leaked key is time alone: leaves live for about three hours and instance authorities for a day (a leaf of more
 * than a day is refused), zonal authorities for about six days, regional ones for twenty. Whoever holds the key of an
 * authority can forge documents until that certificate ends. So a document vouches for its own time, never for later:
 * `now` must be the real time, and the freshness that the policy asks for is checked in `appraise`.
 *
 * Throws the NITRO_ code of the first check that fails, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID.
 */
export async function authenticate(
  parsed: ParsedDocument,
  options: VerificationMeans & {
    readonly policy: AttestationPolicy;
    readonly anchors: TrustAnchors;
    readonly now: Date;
  },
): Promise<AuthenticDocument> {
  const message = ParsedDocument.messageOf(parsed);
  const policy = parseAttestationPolicy(options.policy);
  const now = requireTime(options.now);
  const { kind, document, leaf, authorities } = parsed;
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });

  const chain = await selectChain(authorities, leaf, options.anchors.nitro ?? [], checks, options);
  checkChainShape(chain, checks);
  await checkSignatures(chain, message, checks, options);
  checkValidity(chain, now, checks);
  checkModule(leaf, document.moduleId, checks);
  return new AuthenticDocument({ kind, document, at: now.getTime(), ...checks.results() });
}
