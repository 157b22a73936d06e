import { equalBytes, toHex } from '@fastness/codec';
import { anyOf, Checklist } from '../../checks.ts';
import type { ArmCcaPolicy } from '../../policy/arm-cca.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { appraiseIdentity, requireListed } from '../arm/identity.ts';
import { appraiseLifecycle } from '../arm/lifecycle.ts';
import { expectedNonce } from '../arm/message.ts';
import { configurationMatches, statesOf, strangerAmong } from '../arm/references.ts';
import { claimsOf } from './claims.ts';
import { CHALLENGE_BYTES } from './layout.ts';
import { AuthenticToken } from './stages.ts';

/**
 * Applies a policy to an authentic token. `expectedReportData` (64 bytes) is what the realm token must carry as its challenge:
 * with Fastness's own enclaves that of `reportDataOf`. The comparison comes first of all, because a token for another session
 * answers no question of this one. Tokens have no timestamp: the challenge alone makes them fresh.
 *
 * Firmware that was replaced while the platform ran (live activation) extends its measurement, which then is in no reference
 * state: it is refused, as the log that would explain it is not read.
 *
 * Throws the CCA_ code of the first requirement that is not met, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID,
 * ATTEST_POLICY_INCOMPLETE, ATTEST_TEE_NOT_ALLOWED, ATTEST_ARGUMENT_INVALID.
 */
export function appraise(
  authentic: AuthenticToken,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): AttestationVerdict {
  AuthenticToken.require(authentic);
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'armCca');
  const measurements = filledIn(policy, section.measurements);
  const checks: Checklist = new Checklist(policy.waivers, authentic);

  const { challenge } = authentic.realm;
  const expected = expectedNonce(options.expectedReportData, [CHALLENGE_BYTES]);
  checks.require('CCA_CHALLENGE_MISMATCH', equalBytes(challenge, expected), {
    expected: toHex(expected),
    actual: toHex(challenge),
  });
  const debug = appraisePlatform(authentic, section, checks);
  appraiseRealm(authentic, { ...section, measurements }, checks);

  return verdictOf(claimsOf(authentic, debug), checks, policy);
}

/** Returns whether debugging is enabled, which only a waiver lets pass. */
function appraisePlatform({ platform, references }: AuthenticToken, section: ArmCcaPolicy, checks: Checklist): boolean {
  const { softwareComponents, configuration, implementationId } = platform;
  const debug = appraiseLifecycle(platform.lifecycle, { lifecycle: 'CCA_LIFECYCLE', debug: 'CCA_DEBUG' }, checks);
  appraiseIdentity(
    platform,
    section,
    {
      implementation: 'CCA_IMPLEMENTATION_NOT_ALLOWED',
      allow: 'CCA_INSTANCE_NOT_ALLOWED',
      deny: 'CCA_INSTANCE_DENIED',
    },
    checks,
  );
  const { platformExtended = false } = platform;
  checks.require('CCA_PLATFORM_EXTENDED', !platformExtended || section.allowPlatformExtensions === true, {
    expected: section.allowPlatformExtensions === true ? 'a platform, extended or not' : 'no extension',
    actual: platformExtended ? 'an extended platform' : 'none',
  });
  checks.requireUnlessWaived('CCA_REFERENCE_MISSING', references.length > 0, {
    expected: `reference values for ${implementationId}`,
    actual: `${references.length} states`,
  });
  if (references.length === 0) {
    checks.notApplicable('CCA_SOFTWARE_NOT_ALLOWED', 'there are no reference states');
    checks.notApplicable('CCA_CONFIGURATION_NOT_ALLOWED', 'there are no reference states');
    return debug;
  }
  const states = statesOf(softwareComponents, references);
  checks.require('CCA_SOFTWARE_NOT_ALLOWED', states.length > 0, {
    expected: `one of ${references.length} reference states`,
    actual: states.length > 0 ? 'one of them' : strangerAmong(softwareComponents, references),
  });
  const accepted = states.some((state) =>
    state.configuration === undefined ? true : configurationMatches(configuration, state.configuration),
  );
  checks.require('CCA_CONFIGURATION_NOT_ALLOWED', accepted, {
    expected: anyOf(states.map((state) => state.configuration?.value ?? 'any')),
    actual: toHex(configuration),
  });
  return debug;
}

function appraiseRealm(
  { realm }: AuthenticToken,
  section: Omit<ArmCcaPolicy, 'measurements'> & { readonly measurements: readonly string[] },
  checks: Checklist,
): void {
  const { measurements, hashAlgorithms, personalizationValues, requirePrivateMec = false } = section;
  requireListed('CCA_REALM_HASH_NOT_ALLOWED', realm.hashAlgorithm, hashAlgorithms, checks);
  requireListed('CCA_MEASUREMENT_NOT_ALLOWED', realm.initialMeasurement, measurements, checks);
  const pinned = Object.entries({ ...section.rems });
  if (pinned.length === 0) checks.notApplicable('CCA_REM_NOT_ALLOWED', 'the policy lists none');
  for (const [index, values] of pinned) {
    const actual = realm.rems[Number(index)] ?? '';
    checks.require('CCA_REM_NOT_ALLOWED', values.includes(actual), {
      expected: `REM${index} ${anyOf(values)}`,
      actual,
    });
  }
  requireListed('CCA_PERSONALIZATION_NOT_ALLOWED', realm.personalizationValue, personalizationValues, checks);
  if (!requirePrivateMec) checks.notApplicable('CCA_MEC_NOT_PRIVATE', 'the policy does not ask for it');
  else {
    const memory = realm.memoryEncryption ?? 'not said';
    checks.require('CCA_MEC_NOT_PRIVATE', memory === 'private', { expected: 'private', actual: memory });
  }
}
