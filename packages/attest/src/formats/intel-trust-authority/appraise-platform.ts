import { anyOf, type Checklist } from '../../checks.ts';
import type { IntelTrustAuthorityClaims } from '../../claims/token.ts';
import type { IntelTrustAuthorityPolicy } from '../../policy/intel-trust-authority.ts';
import { isJsonObject, type JsonValue } from '../../jws/json.ts';
import type { ClaimReader } from '../token/claims.ts';

/** What the service says about the platform, and which of its own policies it applied. */
export function appraisePlatform(
  outer: ClaimReader,
  claims: ClaimReader,
  section: IntelTrustAuthorityPolicy,
  checks: Checklist,
): Pick<IntelTrustAuthorityClaims, 'tcbStatus' | 'advisories' | 'policiesMatched'> {
  const tcbStatus = claims.text('attester_tcb_status');
  const accepted: readonly string[] = section.tcbStatuses;
  checks.require('ITA_TCB_STATUS_NOT_ALLOWED', accepted.includes(tcbStatus), {
    expected: anyOf(accepted),
    actual: tcbStatus.slice(0, 64),
  });
  const advisories = claims.has('attester_advisory_ids') ? claims.texts('attester_advisory_ids') : [];
  const { advisories: tolerated, policyIds } = section;
  if (tolerated === undefined) checks.notApplicable('ITA_ADVISORY_NOT_ALLOWED', 'the policy accepts any');
  else {
    const others = advisories.filter((id) => !tolerated.includes(id));
    checks.require('ITA_ADVISORY_NOT_ALLOWED', others.length === 0, {
      expected: tolerated.length === 0 ? 'none' : anyOf(tolerated),
      actual: others.length === 0 ? 'no other' : anyOf(others),
    });
  }
  const policiesMatched = matched(outer, claims);
  if (policyIds === undefined) checks.notApplicable('ITA_POLICY_NOT_MATCHED', 'the policy asks for none');
  else {
    const missing = policyIds.filter((id) => !policiesMatched.includes(id));
    checks.require('ITA_POLICY_NOT_MATCHED', missing.length === 0, {
      expected: policyIds.join(' and '),
      actual: missing.length === 0 ? 'all of them' : `not ${missing.join(', not ')}`,
    });
  }
  return { tcbStatus, advisories, policiesMatched };
}

/** Ids in `policy_ids_matched`; entries are texts or objects with an id, nested or not. */
function matched(outer: ClaimReader, claims: ClaimReader): readonly string[] {
  const name = 'policy_ids_matched';
  const ids = [outer, ...(claims === outer ? [] : [claims])].flatMap((reader) =>
    reader.has(name) ? reader.list(name).map((entry) => idOf(entry)) : [],
  );
  return Object.freeze([...new Set(ids.filter((id) => id !== undefined))]);
}

function idOf(entry: JsonValue): string | undefined {
  const id = isJsonObject(entry) ? entry['id'] : entry;
  return typeof id === 'string' ? id : undefined;
}
