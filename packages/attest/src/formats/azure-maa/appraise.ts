import { anyOf, Checklist } from '../../checks.ts';
import type { AzureMaaPolicy } from '../../policy/azure-maa.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { requireBinding, requireListed, requireUse, tokenFacts, type BoundText } from '../token/appraise.ts';
import { ClaimReader, memberAt } from '../token/claims.ts';
import { AuthenticToken } from '../token/stages.ts';
import { appraiseGuest } from './appraise-guest.ts';
import { appraiseTee } from './appraise-tee.ts';
import { CLAIMS_VERSION, maaTees, NESTED_TYPE, type MaaTee } from './layout.ts';

/** Bytes that the claims can carry: 64 of report data, as much held data as an attester likes. */
const MAX_BOUND_BYTES = 64;

/**
 * Applies a policy to an authentic token of Azure Attestation. `expectedReportData` (16 to 64 bytes) is compared with the
 * claim that the policy's `binding` names, before anything else.
 *
 * An accepted token means that Microsoft says so: its service saw the report, and its claims depend on the policy of its
 * instance. Throws the TOKEN_ or MAA_ code of the first requirement that is not met, ATTEST_....
 */
export function appraise(
  authentic: AuthenticToken,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): AttestationVerdict {
  AuthenticToken.require(authentic, 'azure-maa');
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'azureMaa');
  const measurements = filledIn(policy, section.measurements);
  const checks: Checklist = new Checklist(policy.waivers, authentic);
  const outer = new ClaimReader(authentic.claims, 'MAA_CLAIM', checks);

  const version = outer.text('x-ms-ver');
  checks.require('MAA_VERSION', version === CLAIMS_VERSION, { expected: CLAIMS_VERSION, actual: version.slice(0, 32) });
  const { tee, claims, nested } = selectTee(outer, section, checks);
  const bound = boundText(authentic, section.binding, tee, claims);
  const reportData = requireBinding(bound, options.expectedReportData, MAX_BOUND_BYTES, checks);
  requireUse(authentic, section, checks);
  const policyHash = outer.has('x-ms-policy-hash') ? outer.text('x-ms-policy-hash') : undefined;
  requireListed('MAA_POLICY_NOT_ALLOWED', policyHash ?? 'none', section.policyHashes, checks);
  const compliance = appraiseGuest({ outer, claims, tee, nested, section }, checks);
  const facts = appraiseTee({ claims, tee, section, measurements }, checks);

  return verdictOf(
    Object.freeze({
      tee: 'azure-maa',
      simulated: false,
      vendor: 'Microsoft',
      identity: Object.freeze({ kind: 'token-issuer', value: authentic.issuer } as const),
      attestedTee: tee.tee,
      nested,
      ...facts,
      reportData,
      ...(compliance === undefined ? {} : { compliance }),
      ...(policyHash === undefined ? {} : { policyHash }),
      ...tokenFacts(authentic),
    } as const),
    checks,
    policy,
  );
}

interface Selected {
  readonly tee: MaaTee;
  /** The claims that speak of the TEE. */
  readonly claims: ClaimReader;
  readonly nested: boolean;
}

/** Which TEE the token speaks of: its own, or that of the nested guest it was made for. */
function selectTee(outer: ClaimReader, { tees, nested: allowed }: AzureMaaPolicy, checks: Checklist): Selected {
  const outerType = outer.text('x-ms-attestation-type');
  const nested = outerType === NESTED_TYPE;
  checks.require('MAA_NESTED', !nested || allowed === 'allow', {
    expected: allowed === 'allow' ? 'a TEE or a nested guest' : 'no nested guest',
    actual: outerType.slice(0, 32),
  });
  if (nested) {
    checks.require('MAA_NOT_ISOLATED', outer.has('x-ms-isolation-tee'), {
      expected: 'x-ms-isolation-tee',
      actual: outer.has('x-ms-isolation-tee') ? 'it is there' : 'an ordinary virtual machine',
    });
  } else checks.notApplicable('MAA_NOT_ISOLATED', 'the token speaks of the TEE itself');
  const claims = nested ? outer.inside('x-ms-isolation-tee') : outer;
  const type = nested ? claims.text('x-ms-attestation-type') : outerType;
  const tee = maaTees.find((candidate) => candidate.type === type);
  checks.require('MAA_TEE_NOT_ALLOWED', tee !== undefined && tees.includes(tee.tee), {
    expected: anyOf(tees),
    actual: type.slice(0, 32),
  });
  return { tee, claims, nested };
}

function boundText(
  { claims: all }: AuthenticToken,
  binding: AzureMaaPolicy['binding'],
  tee: MaaTee,
  claims: ClaimReader,
): BoundText {
  switch (binding) {
    case 'runtime-nonce': {
      const claim = 'x-ms-runtime.client-payload.nonce';
      return { claim, value: memberAt(all, ['x-ms-runtime', 'client-payload', 'nonce']), encoding: 'base64' };
    }
    case 'nonce':
      return { claim: 'nonce', value: all['nonce'], encoding: 'base64url' };
    case 'held-data':
      return { claim: 'x-ms-sgx-ehd', value: all['x-ms-sgx-ehd'], encoding: 'base64url' };
    case 'report-data':
      break;
  }
  const value = claims.has(tee.reportData) ? claims.hex(tee.reportData, 64) : undefined;
  return { claim: tee.reportData, value, encoding: 'hex' };
}
