import { equalBytes, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { anyOf, Checklist } from '../../checks.ts';
import type { AndroidKeyPolicy } from '../../policy/android-key.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { appraiseApplication, appraiseIds } from './appraise-application.ts';
import { appraiseBoot } from './appraise-boot.ts';
import { appraiseKey } from './appraise-key.ts';
import { claimsOf } from './claims.ts';
import { MAX_CHALLENGE_BYTES } from './layout.ts';
import { AuthenticKey } from './stages.ts';

/**
 * Applies a policy to an authentic attestation. `expectedReportData` (1 to 128 bytes) must be the attestation challenge, all
 * of it; it is compared first, because an attestation for another session answers no question of this one.
 *
 * What the secure hardware enforces is believed on the word of its maker. Application id and module hash are stated by
 * Android, so they are worth as much as the verified boot of that device.
 *
 * Throws the ANDROID_ code of the first requirement that is not met, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID,
 * ATTEST_POLICY_INCOMPLETE, ATTEST_TEE_NOT_ALLOWED, ATTEST_ARGUMENT_INVALID.
 */
export function appraise(
  authentic: AuthenticKey,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): AttestationVerdict {
  AuthenticKey.require(authentic);
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'androidKey');
  const measurements = filledIn(policy, section.measurements);
  const checks: Checklist = new Checklist(policy.waivers, authentic);
  const { description } = authentic;

  requireChallenge(description.challenge, options.expectedReportData, checks);
  requireLevels(authentic, section, checks);
  const debug = appraiseBoot(description, section, measurements, checks);
  appraiseKey(description, section, checks);
  appraiseApplication(description, section, checks);
  appraiseIds(description, section, checks);

  return verdictOf(claimsOf(authentic, debug), checks, policy);
}

function requireChallenge(challenge: Uint8Array, expected: Uint8Array, checks: Checklist): void {
  if (!(expected instanceof Uint8Array) || expected.length === 0 || expected.length > MAX_CHALLENGE_BYTES) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', `expectedReportData must be 1 to ${MAX_CHALLENGE_BYTES} bytes.`);
  }
  checks.require('ANDROID_CHALLENGE_MISMATCH', equalBytes(challenge, expected), {
    expected: toHex(expected),
    actual: toHex(challenge.subarray(0, MAX_CHALLENGE_BYTES)),
  });
}

function requireLevels(
  { description, certificatesIssued }: AuthenticKey,
  { securityLevels, minimumVersion, provisioning }: AndroidKeyPolicy,
  checks: Checklist,
): void {
  const { attestationSecurityLevel, keyMintSecurityLevel, attestationVersion } = description;
  const accepted: readonly string[] = securityLevels;
  checks.require('ANDROID_ATTESTATION_LEVEL', accepted.includes(attestationSecurityLevel), {
    expected: anyOf(accepted),
    actual: attestationSecurityLevel,
  });
  checks.require('ANDROID_KEY_LEVEL', accepted.includes(keyMintSecurityLevel), {
    expected: anyOf(accepted),
    actual: keyMintSecurityLevel,
  });
  if (minimumVersion === undefined) checks.notApplicable('ANDROID_VERSION_LOW', 'the policy has no floor');
  else
    checks.require('ANDROID_VERSION_LOW', attestationVersion >= minimumVersion, {
      expected: `at least ${minimumVersion}`,
      actual: `${attestationVersion}`,
    });
  if (provisioning !== 'remote') checks.notApplicable('ANDROID_PROVISIONING', 'the policy accepts any');
  else
    checks.require('ANDROID_PROVISIONING', certificatesIssued !== undefined, {
      expected: 'remote',
      actual: certificatesIssued === undefined ? 'at the factory' : 'remote',
    });
}
