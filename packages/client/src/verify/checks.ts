import type { CheckRecord } from '@fastness/attest';
import { toHex } from '@fastness/codec/bytes';
import type { ErrorCode } from '@fastness/codec/errors';
import type { VerifiedRelease } from '@fastness/model/release';
import type { ClientPolicy } from '../policy.ts';

/** A check that passed: the code it would have failed with, what it asked for, what it found. */
export function passed(code: ErrorCode, expected: string, actual: string): CheckRecord {
  return Object.freeze({ code, outcome: 'passed', expected, actual });
}

/** What `verifyRelease` checked, for people who read along. */
export function releaseChecks(verified: VerifiedRelease, policy: ClientPolicy): CheckRecord[] {
  const { release, approvedBy, ownerKeyId, releaseDigest } = verified;
  const owners = policy.ownerKeys.length;
  const { threshold, approvers } = policy.quorum;
  return [
    passed('RELEASE_SIGNATURE', `one of ${owners} owner keys`, `key ${ownerKeyId}, release ${toHex(releaseDigest)}`),
    passed('RELEASE_EXPIRED', `${release.notBefore} to ${release.expires}`, `version ${release.version}`),
    policy.minimumVersion === undefined
      ? {
          code: 'RELEASE_VERSION_ROLLBACK',
          outcome: 'not-applicable',
          expected: 'the policy names no version',
          actual: '',
        }
      : passed('RELEASE_VERSION_ROLLBACK', `at least ${policy.minimumVersion}`, String(release.version)),
    passed('APPROVAL_MISSING', `${threshold} of ${approvers.length} approvers`, approvedBy.join(', ')),
    policy.model === undefined
      ? { code: 'CLIENT_MODEL_MISMATCH', outcome: 'not-applicable', expected: 'the policy names no model', actual: '' }
      : passed('CLIENT_MODEL_MISMATCH', policy.model, release.modelId),
    policy.traffic === undefined
      ? { code: 'CLIENT_TRAFFIC', outcome: 'not-applicable', expected: 'the policy asks for no shape', actual: '' }
      : passed('CLIENT_TRAFFIC', `at least ${policy.traffic}`, release.traffic ?? 'nothing'),
  ];
}
