import { compareBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { approverIdPattern, parseApproval } from './approval.ts';
import { clockToleranceMs } from './clock-tolerance.ts';
import { importVerifyKey, signatureFits, type VerifyKey } from './verify-key.ts';

/** Who may approve, and how many of them must. Whoever writes the policy decides whether the owner may be one. */
export interface Quorum {
  /** At least 1, at most the number of approvers. */
  readonly threshold: number;
  readonly approvers: readonly {
    readonly id: string;
    /** P-256, P-384 or Ed25519, SubjectPublicKeyInfo DER. One key is one vote. */
    readonly publicKey: Uint8Array;
  }[];
}

const approverAlgorithms = ['P-256', 'P-384', 'Ed25519'] as const;

/**
 * Checks that a quorum means what it says, and imports its keys. Errors: APPROVAL_QUORUM_INVALID,
 * APPROVAL_QUORUM_SAME_ID, APPROVAL_QUORUM_SAME_KEY, APPROVAL_APPROVER_ID, OMS_KEY_UNSUPPORTED.
 */
export async function importQuorum({ threshold, approvers }: Quorum): Promise<Map<string, VerifyKey>> {
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > approvers.length) {
    throw new FastnessError('APPROVAL_QUORUM_INVALID', `${threshold} of ${approvers.length}.`);
  }
  const keys = new Map<string, VerifyKey>();
  for (const { id, publicKey } of approvers) {
    if (!approverIdPattern.test(id)) throw new FastnessError('APPROVAL_APPROVER_ID');
    if (keys.has(id)) throw new FastnessError('APPROVAL_QUORUM_SAME_ID', id);
    for (const [otherId, other] of keys) {
      if (compareBytes(other.spki, publicKey) === 0) {
        throw new FastnessError('APPROVAL_QUORUM_SAME_KEY', `${otherId} and ${id}`);
      }
    }
    keys.set(id, await importVerifyKey(publicKey, approverAlgorithms));
  }
  return keys;
}

/**
 * Verifies every approval and counts the approvers. One bad approval refuses the whole: it means that someone is
 * mistaken or cheating, and who, can be seen. Returns the approvers' ids, sorted.
 * Errors: those of `importQuorum` and `parseApproval`, APPROVAL_UNKNOWN_APPROVER, APPROVAL_DUPLICATE,
 * APPROVAL_SIGNATURE, APPROVAL_OTHER_RELEASE, APPROVAL_FROM_FUTURE, APPROVAL_MISSING.
 */
export async function verifyApprovals(options: {
  readonly approvals: readonly string[];
  readonly quorum: Quorum;
  /** Hex. */
  readonly releaseDigest: string;
  readonly now: Date;
}): Promise<string[]> {
  const { quorum, releaseDigest, now } = options;
  const keys = await importQuorum(quorum);
  const approvedBy = new Set<string>();
  for (const text of options.approvals) {
    const { approval, signature, signed } = parseApproval(text);
    const { approver } = approval;
    const key = keys.get(approver);
    if (key === undefined) throw new FastnessError('APPROVAL_UNKNOWN_APPROVER', approver);
    if (!(await signatureFits(key, signature, signed))) throw new FastnessError('APPROVAL_SIGNATURE', approver);
    if (approvedBy.has(approver)) throw new FastnessError('APPROVAL_DUPLICATE', approver);
    if (approval.releaseDigest !== releaseDigest) throw new FastnessError('APPROVAL_OTHER_RELEASE', approver);
    if (Date.parse(approval.at) > now.getTime() + clockToleranceMs) {
      throw new FastnessError('APPROVAL_FROM_FUTURE', `${approver}, at ${approval.at}`);
    }
    approvedBy.add(approver);
  }
  if (approvedBy.size < quorum.threshold) {
    throw new FastnessError('APPROVAL_MISSING', `${approvedBy.size} of ${quorum.threshold}.`);
  }
  return [...approvedBy].sort();
}
