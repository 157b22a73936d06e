import { equalBytes, toHex } from '@fastness/codec';
import { anyOf, Checklist } from '../../checks.ts';
import type { ArmPsaClaims } from '../../claims/arm.ts';
import type { ArmPsaPolicy } from '../../policy/arm-psa.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { appraiseIdentity, requireListed } from '../arm/identity.ts';
import { appraiseLifecycle } from '../arm/lifecycle.ts';
import { expectedNonce } from '../arm/message.ts';
import { statesOf, strangerAmong } from '../arm/references.ts';
import { PSA_NONCE_BYTES } from './layout.ts';
import { armPsaMeasurement } from './measurement.ts';
import { AuthenticToken } from './stages.ts';

/**
 * Applies a policy to an authentic token. `expectedReportData` (32, 48 or 64 bytes) is what the token must carry as its
 * nonce; with Fastness's own protocol the 64 bytes of `reportDataOf`. The comparison comes first of all, because a token for
 * another session answers no question of this one. Tokens have no timestamp: the nonce alone makes them fresh.
 *
 * Throws the PSA_ code of the first requirement that is not met, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID,
 * ATTEST_POLICY_INCOMPLETE, ATTEST_TEE_NOT_ALLOWED, ATTEST_ARGUMENT_INVALID.
 */
export async function appraise(
  authentic: AuthenticToken,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): Promise<AttestationVerdict> {
  AuthenticToken.require(authentic);
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'armPsa');
  const measurements = filledIn(policy, section.measurements);
  const { token } = authentic;
  const checks: Checklist = new Checklist(policy.waivers, authentic);

  const expected = expectedNonce(options.expectedReportData, PSA_NONCE_BYTES);
  checks.require('PSA_NONCE_MISMATCH', equalBytes(token.nonce, expected), {
    expected: toHex(expected),
    actual: toHex(token.nonce),
  });
  requireListed('PSA_PROFILE_NOT_ALLOWED', token.profile, section.profiles, checks);
  const codes = { lifecycle: 'PSA_LIFECYCLE', debug: 'PSA_DEBUG' } as const;
  const debug = appraiseLifecycle(token.lifecycle, codes, checks);
  appraiseClient(token.clientId, section.clientIds, checks);
  appraiseIdentity(
    token,
    section,
    {
      implementation: 'PSA_IMPLEMENTATION_NOT_ALLOWED',
      allow: 'PSA_INSTANCE_NOT_ALLOWED',
      deny: 'PSA_INSTANCE_DENIED',
    },
    checks,
  );
  const { certificationReferences } = section;
  requireListed('PSA_CERTIFICATION_NOT_ALLOWED', token.certificationReference, certificationReferences, checks);
  const measurement = await armPsaMeasurement(token.softwareComponents);
  const { signerIds } = section;
  appraiseSoftware(authentic, measurement, { signerIds, measurements }, checks);

  const claims = claimsOf(authentic, { measurement, debug });
  return verdictOf(claims, checks, policy);
}

/** A security domain can ask for tokens about itself only (RFC 9783, section 4.1.2). */
function appraiseClient(clientId: number, wanted: ArmPsaPolicy['clientIds'], checks: Checklist): void {
  const sides = { any: true, 'any-secure': clientId > 0, 'any-non-secure': clientId < 0 };
  const allowed = typeof wanted === 'string' ? sides[wanted] : wanted.includes(clientId);
  checks.require('PSA_CLIENT_NOT_ALLOWED', allowed, {
    expected: typeof wanted === 'string' ? wanted : anyOf(wanted),
    actual: `${clientId}`,
  });
}

function appraiseSoftware(
  { token: { softwareComponents, implementationId }, references }: AuthenticToken,
  measurement: string,
  {
    signerIds,
    measurements,
  }: {
    readonly signerIds: readonly string[] | undefined;
    readonly measurements: readonly string[] | undefined;
  },
  checks: Checklist,
): void {
  if (signerIds === undefined) checks.notApplicable('PSA_SIGNER_NOT_ALLOWED', 'the policy lists none');
  else {
    const stranger = softwareComponents.find(({ signerId }) => signerId === undefined || !signerIds.includes(signerId));
    checks.require('PSA_SIGNER_NOT_ALLOWED', stranger === undefined, {
      expected: anyOf(signerIds),
      actual: stranger === undefined ? 'all of them' : (stranger.signerId ?? `no signer of ${stranger.measurement}`),
    });
  }
  checks.require('PSA_REFERENCE_MISSING', references.length > 0 || measurements !== undefined, {
    expected: `reference values for ${implementationId}`,
    actual: `${references.length} states, ${measurements?.length ?? 0} measurements`,
  });
  if (references.length === 0) checks.notApplicable('PSA_SOFTWARE_NOT_ALLOWED', 'there are no reference states');
  else {
    const known = statesOf(softwareComponents, references).length > 0;
    checks.require('PSA_SOFTWARE_NOT_ALLOWED', known, {
      expected: `one of ${references.length} reference states`,
      actual: known ? 'one of them' : strangerAmong(softwareComponents, references),
    });
  }
  requireListed('PSA_MEASUREMENT_NOT_ALLOWED', measurement, measurements, checks);
}

function claimsOf(
  { token, endorser, at }: AuthenticToken,
  { measurement, debug }: { readonly measurement: string; readonly debug: boolean },
): ArmPsaClaims {
  const { nonce, instanceId, ...facts } = token;
  return Object.freeze({
    tee: 'arm-psa',
    simulated: false,
    vendor: 'Arm',
    identity: Object.freeze({ kind: 'instance-id', value: instanceId } as const),
    endorser,
    measurement,
    debug,
    reportData: toHex(nonce),
    ...facts,
    verifiedAt: new Date(at).toISOString(),
  });
}
