import { anyOf, Checklist } from '../../checks.ts';
import type { GcpVtpmClaims } from '../../claims/gcp-vtpm.ts';
import type { GcpVtpmPolicy } from '../../policy/gcp-vtpm.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { appraiseNonce, appraiseQuote, nonceArgument } from '../tpm/appraise-quote.ts';
import { AuthenticQuote } from '../tpm/stages.ts';
import type { InstanceInfo } from './instance-info.ts';

/**
 * Applies a policy to an authentic quote. `expectedReportData` is the nonce that the quote must have been asked with, 1 to 64
 * bytes: 32 of them are fresh. It is compared first of all.
 *
 * Throws the TPM_, GCP_VTPM_ or EVENT_LOG_ code of the first requirement that is not met, ATTEST_STAGE_SKIPPED,
 * ATTEST_POLICY_INVALID, ATTEST_POLICY_INCOMPLETE, ATTEST_TEE_NOT_ALLOWED, ATTEST_ARGUMENT_INVALID.
 */
export async function appraise(
  authentic: AuthenticQuote<InstanceInfo>,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): Promise<AttestationVerdict> {
  AuthenticQuote.require(authentic, 'gcp-vtpm');
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'gcpVtpm');
  const measurements = filledIn(policy, section.measurements);
  const nonce = nonceArgument(options.expectedReportData);
  const checks: Checklist = new Checklist(policy.waivers, authentic);

  appraiseNonce(authentic, nonce, checks);
  const { production: _, ...instance } = authentic.trust;
  appraiseInstance(instance, section, checks);
  const facts = await appraiseQuote(authentic, { ...section, measurements }, checks);
  const { projectId, zone, instanceId } = instance;
  const claims: GcpVtpmClaims = Object.freeze({
    tee: 'gcp-vtpm',
    vendor: 'Google',
    identity: Object.freeze({
      kind: 'gce-instance',
      value: `projects/${projectId}/zones/${zone}/instances/${instanceId}`,
    }),
    debug: false,
    instance: Object.freeze(instance),
    ...facts,
  });
  return verdictOf(claims, checks, policy);
}

function appraiseInstance(
  { projectId, zone, instanceId }: GcpVtpmClaims['instance'],
  { projects, zones, instances }: GcpVtpmPolicy,
  checks: Checklist,
): void {
  listed('GCP_VTPM_PROJECT_NOT_ALLOWED', projectId, projects === 'any' ? undefined : projects, checks);
  listed('GCP_VTPM_ZONE_NOT_ALLOWED', zone, zones, checks);
  listed('GCP_VTPM_INSTANCE_NOT_ALLOWED', instanceId, instances?.allow, checks);
  const deny = instances?.deny;
  if (deny === undefined) checks.notApplicable('GCP_VTPM_INSTANCE_DENIED', 'the policy lists none');
  else
    checks.require('GCP_VTPM_INSTANCE_DENIED', !deny.includes(instanceId), {
      expected: `none of ${anyOf(deny)}`,
      actual: instanceId,
    });
}

function listed(
  code: 'GCP_VTPM_PROJECT_NOT_ALLOWED' | 'GCP_VTPM_ZONE_NOT_ALLOWED' | 'GCP_VTPM_INSTANCE_NOT_ALLOWED',
  actual: string,
  list: readonly string[] | undefined,
  checks: Checklist,
): void {
  if (list === undefined) checks.notApplicable(code, 'the policy lists none');
  else checks.require(code, list.includes(actual), { expected: anyOf(list), actual });
}
