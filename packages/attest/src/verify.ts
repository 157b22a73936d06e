import { FastnessError } from '@fastness/codec/errors';
import { requireArguments } from './arguments.ts';
import type { SessionBinding } from './binding.ts';
import type { Cmw } from './cmw.ts';
import { isCmwCollection } from './cmw-collection.ts';
import { verifyComposite } from './composite.ts';
import { requireDevices } from './devices.ts';
import type { VerifyEvidenceOptions, VerifySessionOptions } from './formats/format.ts';
import { parseAttestationPolicy } from './policy/policy.ts';
import { roleOf } from './roles.ts';
import { requireTime } from './time.ts';
import type { AttestationVerdict, CompositeVerdict } from './verdict.ts';
import { formatOf, verifyOne } from './verify-one.ts';

/**
 * Verifies evidence: reads it, checks that a pinned root vouches for it, and applies the policy. Pure: the result depends
 * on the arguments alone. Returns facts about an acceptable machine, or throws a FastnessError whose code names the first
 * check that failed, in an order that does not depend on timing; `checksOf` says which checks ran before it.
 *
 * The type of the evidence decides which roots count. Evidence of hardware ends in `anchors`, never in a simulated root;
 * simulated evidence ends in the root that the policy names, never in `anchors`.
 *
 * What the evidence must be bound to is either given as bytes (`expectedReportData`) or derived from the `session`, with the
 * functions that the attester uses. With a session the evidence may be a collection (CPU, GPUs, switches, TPM; RFC 9999):
 * exactly one processor, whose report data carries the digest of all device evidence, and devices that the policy lists,
 * each with a nonce of its own and an identity of its own. The result then has a verdict for each part. Evidence of GPUs or
 * switches alone is refused for a session: they sign what anybody asks of them, and run none of the software that has the keys.
 *
 * Not protected against: physical attacks on the processor, keys extracted from it before the vendor revokes them, a revocation
 * later than the lists that came with the evidence, and whatever the measured software itself does wrong. Nor does a
 * collection prove that a device sits in the machine: on NVIDIA Hopper nothing in the evidence says so.
 */
export async function verifyEvidence(options: VerifyEvidenceOptions): Promise<AttestationVerdict>;
export async function verifyEvidence(
  options: VerifySessionOptions & { readonly evidence: Cmw },
): Promise<AttestationVerdict>;
export async function verifyEvidence(options: VerifySessionOptions): Promise<AttestationVerdict | CompositeVerdict>;
export async function verifyEvidence(
  options: VerifyEvidenceOptions | VerifySessionOptions,
): Promise<AttestationVerdict | CompositeVerdict> {
  requireArguments(options);
  const { evidence } = options;
  const policy = parseAttestationPolicy(options.policy);
  const now = requireTime(options.now);
  const session = 'session' in options ? options.session : undefined;
  const expected = 'expectedReportData' in options ? options.expectedReportData : undefined;
  if (session !== undefined && expected !== undefined) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'Give expectedReportData or session, and not both.');
  }
  if (isCmwCollection(evidence)) {
    if (session === undefined)
      throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'A collection is verified for a session.');
    return verifyComposite({ ...options, evidence, policy, now, session: sessionOf(session) });
  }
  requireDevices(policy, []);
  const { tee } = formatOf(evidence);
  const { role, accessory } = roleOf(tee);
  if (role === 'device' && policy.devices !== undefined) {
    // A policy that speaks of devices is about machines, not about one device by itself.
    throw new FastnessError('ATTEST_CPU_NOT_ONE', `Policy ${policy.id} asks for a processor with devices.`);
  }
  if (accessory === true && session !== undefined) {
    // A host without any TEE could have a genuine GPU sign what binds keys of its own.
    throw new FastnessError('ATTEST_CPU_NOT_ONE', `Evidence of ${tee} alone says nothing about who holds the keys.`);
  }
  return verifyOne(
    { ...options, evidence, policy, now },
    expected ?? { ...sessionOf(session), deviceEvidenceDigest: null },
  );
}

function sessionOf(session: SessionBinding | undefined): SessionBinding {
  if (typeof session === 'object' && session !== null) return session;
  throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'The session is not an object.');
}
