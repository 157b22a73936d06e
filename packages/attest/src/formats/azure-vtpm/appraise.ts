import { fromHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { anyOf, Checklist } from '../../checks.ts';
import type { AzureVtpmClaims } from '../../claims/azure-vtpm.ts';
import type { Claims } from '../../claims/claims.ts';
import type { SnpClaims } from '../../claims/snp.ts';
import type { TdxClaims } from '../../claims/dcap.ts';
import type { AzureVtpmPolicy } from '../../policy/azure-vtpm.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import type { AttestationVerdict } from '../../verdict.ts';
import { appraiseNonce, appraiseQuote, nonceArgument } from '../tpm/appraise-quote.ts';
import { AuthenticQuote } from '../tpm/stages.ts';
import type { AuthenticMachine } from './authenticate.ts';

/**
 * Applies a policy to an authentic quote and to the hardware below it: section `azureVtpm` to the quote and the VM, section
 * `snp` or `tdx` to the hardware's report, in full. `expectedReportData` is the nonce that the quote must have been asked
 * with, 1 to 64 bytes: 32 of them are fresh. It is compared first of all.
 *
 * The checks of the hardware come before those of the quote in the verdict; a waiver of a hardware check applies as it does to
 * evidence of that hardware.
 *
 * Throws the TPM_, AZURE_VTPM_, EVENT_LOG_ or hardware's code of the first requirement that is not met, ATTEST_STAGE_SKIPPED,
 * ATTEST_POLICY_INVALID, ATTEST_POLICY_INCOMPLETE, ATTEST_TEE_NOT_ALLOWED, ATTEST_ARGUMENT_INVALID.
 */
export async function appraise(
  authentic: AuthenticQuote<AuthenticMachine>,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): Promise<AttestationVerdict> {
  AuthenticQuote.require(authentic, 'azure-vtpm');
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'azureVtpm');
  const measurements = filledIn(policy, section.measurements);
  const nonce = nonceArgument(options.expectedReportData);
  const checks: Checklist = new Checklist(policy.waivers, authentic);

  appraiseNonce(authentic, nonce, checks);
  const { runtime, hardware, boundRuntimeData, akCertificate } = authentic.trust;
  const below = hardware.appraise({ policy, expectedReportData: fromHex(boundRuntimeData) });
  appraiseVm(runtime, section, checks);
  const facts = await appraiseQuote(authentic, { ...section, measurements }, checks);
  const hardwareClaims = requireHardware(below.claims);
  const claims: AzureVtpmClaims = Object.freeze({
    tee: 'azure-vtpm',
    vendor: 'Microsoft',
    identity: Object.freeze({ kind: 'vm-id', value: runtime.vmId }),
    debug: hardwareClaims.debug,
    ...runtime,
    ...(akCertificate === undefined ? {} : { akCertificate }),
    hardware: hardwareClaims,
    ...facts,
  });
  const { waivers, checks: records } = checks.results();
  return Object.freeze({
    claims,
    waivers: Object.freeze([...below.waivers, ...waivers]),
    checks: Object.freeze([...below.checks, ...records]),
    policyId: policy.id,
  });
}

function appraiseVm(
  { secureBoot, vmId }: AuthenticMachine['runtime'],
  policy: AzureVtpmPolicy,
  checks: Checklist,
): void {
  if (policy.secureBoot === 'any') {
    checks.notApplicable('AZURE_VTPM_SECURE_BOOT_OFF', 'the policy does not ask for Secure Boot');
  } else {
    checks.require('AZURE_VTPM_SECURE_BOOT_OFF', secureBoot, { expected: 'on', actual: secureBoot ? 'on' : 'off' });
  }
  const { allow, deny } = policy.vms ?? {};
  if (allow === undefined) checks.notApplicable('AZURE_VTPM_VM_NOT_ALLOWED', 'the policy lists none');
  else checks.require('AZURE_VTPM_VM_NOT_ALLOWED', allow.includes(vmId), { expected: anyOf(allow), actual: vmId });
  if (deny === undefined) checks.notApplicable('AZURE_VTPM_VM_DENIED', 'the policy lists none');
  else
    checks.require('AZURE_VTPM_VM_DENIED', !deny.includes(vmId), {
      expected: `none of ${anyOf(deny)}`,
      actual: vmId,
    });
}

/** The verifiers of the hardware return no other claims. */
function requireHardware(claims: Claims): SnpClaims | TdxClaims {
  if (claims.tee === 'sev-snp' || claims.tee === 'tdx') return claims;
  throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'The claims are of no hardware.');
}
