import { FastnessError } from '@fastness/codec/errors';
import { reportDataFor, type ReportDataFields } from './binding.ts';
import { checkCmw, type Cmw } from './cmw.ts';
import type { EvidenceFormat, VerifyEvidenceOptions } from './formats/format.ts';
import { evidenceFormats } from './formats/registry.ts';
import { sectionOf, type AttestationPolicy } from './policy/policy.ts';
import { policySectionOf } from './tees.ts';
import type { AttestationVerdict } from './verdict.ts';

/** The verifier of this type of evidence. Throws ATTEST_EVIDENCE_UNSUPPORTED, CMW_MALFORMED, CMW_TOO_LARGE. */
export function formatOf(evidence: Cmw): EvidenceFormat {
  const { type } = checkCmw(evidence);
  const format = evidenceFormats.find(({ evidenceTypes }) => evidenceTypes.includes(type));
  if (format === undefined) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${type}.`);
  return format;
}

/** Checks that every endorsement is read by one of these verifiers. Throws ATTEST_ENDORSEMENT_UNSUPPORTED. */
export function requireEndorsements(endorsements: readonly Cmw[], formats: readonly EvidenceFormat[]): void {
  for (const endorsement of endorsements) {
    const { type } = checkCmw(endorsement);
    if (!formats.some(({ endorsementTypes }) => endorsementTypes.includes(type)))
      throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${type}.`);
  }
}

/** The section must be there, and its measurements filled in. Throws ATTEST_TEE_NOT_ALLOWED, ATTEST_POLICY_INCOMPLETE. */
export function requireSection(policy: AttestationPolicy, { tee }: EvidenceFormat): void {
  const section = sectionOf(policy, policySectionOf[tee]);
  if ('measurements' in section && section.measurements === 'from-release')
    throw new FastnessError('ATTEST_POLICY_INCOMPLETE', `Policy ${policy.id}.`);
}

/** A record that its sender can no longer change. */
export function copyOf(record: Cmw): Cmw {
  return { ...record, value: checkCmw(record).value.slice() };
}

/** One piece of evidence, by the verifier of its type. `bound`: what it must carry, or what that is derived from. */
export async function verifyOne(
  options: Omit<VerifyEvidenceOptions, 'expectedReportData'>,
  bound: Uint8Array | ReportDataFields,
): Promise<AttestationVerdict> {
  const format = formatOf(options.evidence);
  requireEndorsements(options.endorsements, [format]);
  requireSection(options.policy, format);
  if (!('purpose' in bound) && format.readsAtOnce === true) {
    return format.verify({ ...options, expectedReportData: bound });
  }
  // The caller's buffers may change while digests and signatures are computed.
  const evidence = copyOf(options.evidence);
  const endorsements = options.endorsements.map(copyOf);
  const expectedReportData = 'purpose' in bound ? await reportDataFor(format.tee, bound) : bound;
  return format.verify({ ...options, evidence, endorsements, expectedReportData });
}
