// A machine with GPUs: one collection of evidence, every part bound to one session.
import {
  cmwCollectionFromJson,
  cmwFromJson,
  isCompositeVerdict,
  parseAttestationPolicy,
  vendorAnchors,
  verifyEvidence,
  type SessionBinding,
  type TrustAnchors,
} from '@fastness/attest';

export async function verifyMachine(given: {
  /** What the machine sent: a collection (RFC 9999) with cpu0, gpu0, ... and the endorsements of all of them. */
  answer: { evidence: unknown; endorsements: readonly unknown[] };
  /** What this session is about. The nonce of each device and the processor's report data follow from it. */
  session: SessionBinding;
  policy: unknown;
  now: Date;
  anchors?: TrustAnchors;
}): Promise<readonly string[]> {
  const verdict = await verifyEvidence({
    evidence: cmwCollectionFromJson(given.answer.evidence),
    endorsements: given.answer.endorsements.map((endorsement) => cmwFromJson(endorsement)),
    policy: parseAttestationPolicy(given.policy),
    anchors: given.anchors ?? vendorAnchors,
    session: given.session,
    now: given.now,
  });
  if (!isCompositeVerdict(verdict)) throw new Error('One piece of evidence, and no collection.');
  return Object.entries(verdict.parts).map(([label, { claims }]) => `${label}: ${claims.tee} ${claims.identity.value}`);
}
