import { FastnessError } from '@fastness/codec/errors';
import { checkCmw } from './cmw.ts';
import type { VerifyEvidenceOptions } from './formats/format.ts';
import { evidenceFormats } from './formats/registry.ts';
import { parseAttestationPolicy, sectionOf } from './policy/policy.ts';
import { policySectionOf } from './tees.ts';
import type { AttestationVerdict } from './verdict.ts';

/**
 * Verifies evidence: reads it, checks that a pinned root vouches for it, and applies the policy. Pure: the result depends
 * on the arguments alone. Returns facts about an acceptable machine, or throws a FastnessError whose code names the first
 * check that failed, in an order that does not depend on timing.
 *
 * The type of the evidence decides which roots count. Evidence of hardware ends in `anchors`, never in a simulated root;
 * simulated evidence ends in the root that the policy names, never in `anchors`.
 *
 * Not protected against: physical attacks on the processor, keys extracted from it before the vendor revokes them, a revocation
 * later than the lists that came with the evidence, and whatever the measured software itself does wrong.
 */
export async function verifyEvidence(options: VerifyEvidenceOptions): Promise<AttestationVerdict> {
  const { evidence, endorsements, anchors, now } = options;
  const policy = parseAttestationPolicy(options.policy);
  if (!(now instanceof Date) || Number.isNaN(now.getTime()))
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'now must be a valid date.');
  if (!Array.isArray(endorsements) || typeof anchors !== 'object' || anchors === null) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'endorsements must be a list, and anchors must be given.');
  }
  const format = evidenceFormats.find(({ evidenceTypes }) => evidenceTypes.includes(checkCmw(evidence).type));
  if (format === undefined) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${evidence.type}.`);
  const stray = endorsements.find((endorsement) => !format.endorsementTypes.includes(checkCmw(endorsement).type));
  if (stray !== undefined) throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${stray.type}.`);
  const section = sectionOf(policy, policySectionOf[format.tee]);
  if ('measurements' in section && section.measurements === 'from-release')
    throw new FastnessError('ATTEST_POLICY_INCOMPLETE', `Policy ${policy.id}.`);
  return format.verify({ ...options, policy });
}
