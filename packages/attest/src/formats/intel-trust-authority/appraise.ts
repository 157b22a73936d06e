import { anyOf, Checklist } from '../../checks.ts';
import type { IntelTrustAuthorityPolicy } from '../../policy/intel-trust-authority.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { requireBinding, requireUse, tokenFacts } from '../token/appraise.ts';
import { ClaimReader } from '../token/claims.ts';
import { AuthenticToken } from '../token/stages.ts';
import { appraisePlatform } from './appraise-platform.ts';
import { appraiseTee } from './appraise-tee.ts';
import { itaTees, itaVersions, type ItaTee } from './layout.ts';

const MAX_BOUND_BYTES = 64;

/**
 * Applies a policy to an authentic token of Intel Trust Authority. `expectedReportData` (16 to 64 bytes) is compared with
 * the claim that the policy's `binding` names, before anything else. `verifier_nonce` is the service's own and says nothing
 * to this session; put your nonce into the held data.
 *
 * An accepted token means that Intel's service says so. Throws the TOKEN_ or ITA_ code of the first requirement that is not
 * met, ATTEST_....
 */
export function appraise(
  authentic: AuthenticToken,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): AttestationVerdict {
  AuthenticToken.require(authentic, 'intel-trust-authority');
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'intelTrustAuthority');
  const measurements = filledIn(policy, section.measurements);
  const checks: Checklist = new Checklist(policy.waivers, authentic);
  const outer = new ClaimReader(authentic.claims, 'ITA_CLAIM', checks);

  const version = outer.text('ver');
  checks.require('ITA_VERSION', itaVersions.has(version), {
    expected: anyOf([...itaVersions]),
    actual: version.slice(0, 32),
  });
  const { tee, claims } = selectTee(outer, section, checks);
  const held = section.binding === 'held-data';
  const claim = held ? 'attester_held_data' : tee.reportData;
  const value = claims.has(claim) ? (held ? claims.text(claim) : claims.hex(claim, 64)) : undefined;
  const bound = { claim, value, encoding: held ? 'base64' : 'hex' } as const;
  const reportData = requireBinding(bound, options.expectedReportData, MAX_BOUND_BYTES, checks);
  requireUse(authentic, section, checks);
  const platform = appraisePlatform(outer, claims, section, checks);
  const facts = appraiseTee({ claims, tee, section, measurements }, checks);

  return verdictOf(
    Object.freeze({
      tee: 'intel-trust-authority',
      simulated: false,
      vendor: 'Intel',
      identity: Object.freeze({ kind: 'token-issuer', value: authentic.issuer } as const),
      attestedTee: tee.tee,
      ...facts,
      ...platform,
      reportData,
      ...tokenFacts(authentic),
    } as const),
    checks,
    policy,
  );
}

/** Which TEE the token speaks of. A token that could be read as one of two is refused. */
function selectTee(
  outer: ClaimReader,
  { tees }: IntelTrustAuthorityPolicy,
  checks: Checklist,
): { readonly tee: ItaTee; readonly claims: ClaimReader } {
  const members = itaTees.filter(({ member }) => outer.has(member));
  const [only] = members;
  const flat = outer.has('attester_type');
  checks.require('ITA_AMBIGUOUS', members.length + (flat ? 1 : 0) === 1, {
    expected: 'the claims of one TEE',
    actual: `${members.map(({ member }) => member).join(' and ') || 'none nested'}, ${flat ? 'one not nested' : 'none else'}`,
  });
  const claims = only === undefined ? outer : outer.inside(only.member);
  // Nested claims are under the name of their TEE, and need not repeat it.
  const type = only === undefined || claims.has('attester_type') ? claims.text('attester_type') : only.type;
  const tee = itaTees.find((candidate) => candidate.type === type && (only === undefined || candidate === only));
  checks.require('ITA_TEE_NOT_ALLOWED', tee !== undefined && tees.includes(tee.tee), {
    expected: anyOf(tees),
    actual: type.slice(0, 32),
  });
  return { tee, claims };
}
