import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { isCmwCollection } from './cmw-collection.ts';
import { boundDataOf } from './formats/bound-data.ts';
import type { VerifyEvidenceOptions } from './formats/format.ts';
import { parseAttestationPolicy } from './policy/policy.ts';
import type { AttestationVerdict } from './verdict.ts';
import { verifyEvidence } from './verify.ts';
import { copyOf, formatOf } from './verify-one.ts';
import { BINDING_UNCHECKED } from './waivers.ts';

/**
 * As `verifyEvidence`, for one piece of recorded evidence whose challenge nobody knows any more: an archive, an example, a
 * vector. Everything is checked but what the evidence is bound to; that is reported as the waiver ATTEST_BINDING_UNCHECKED with
 * the `reason` given. The result says that such a machine existed, not that anyone is talking to it, and never whose keys
 * are meant: do not release secrets on it.
 * Throws what `verifyEvidence` throws; ATTEST_BINDING_UNKNOWN for evidence that is bound to nothing or of a kind whose binding
 * cannot be read.
 */
export async function verifyRecordedEvidence(
  options: Omit<VerifyEvidenceOptions, 'expectedReportData'> & { readonly reason: string },
): Promise<AttestationVerdict> {
  const { reason, ...rest } = options;
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > 500)
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'reason must be 1 to 500 characters.');
  if (isCmwCollection(rest.evidence))
    throw new FastnessError(
      'ATTEST_ARGUMENT_INVALID',
      'A collection is verified for a session; its parts are bound to it.',
    );
  const evidence = copyOf(rest.evidence);
  const policy = parseAttestationPolicy(rest.policy);
  const { tee } = formatOf(evidence);
  const expectedReportData = boundDataOf(tee, evidence, policy);
  if (expectedReportData === undefined || expectedReportData.length === 0)
    throw new FastnessError('ATTEST_BINDING_UNKNOWN', `Evidence of ${tee}.`);
  const verdict = await verifyEvidence({ ...rest, evidence, policy, expectedReportData });
  const compared = { expected: 'what the verifier asked for', actual: toHex(expectedReportData) };
  return Object.freeze({
    ...verdict,
    waivers: Object.freeze([...verdict.waivers, Object.freeze({ check: BINDING_UNCHECKED, reason, ...compared })]),
    checks: Object.freeze([
      ...verdict.checks,
      Object.freeze({ code: BINDING_UNCHECKED, outcome: 'waived' as const, ...compared }),
    ]),
  });
}
