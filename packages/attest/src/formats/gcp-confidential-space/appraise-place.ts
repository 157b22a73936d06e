import { anyOf, type Checklist } from '../../checks.ts';
import type { GcpConfidentialSpaceClaims } from '../../claims/token.ts';
import type { GcpConfidentialSpacePolicy } from '../../policy/gcp-confidential-space.ts';
import { requireListed } from '../token/appraise.ts';
import type { ClaimReader } from '../token/claims.ts';

/** Where the instance runs, and as whom. */
export function appraisePlace(
  claims: ClaimReader,
  gce: ClaimReader,
  section: GcpConfidentialSpacePolicy,
  checks: Checklist,
): Pick<GcpConfidentialSpaceClaims, 'identity' | 'project' | 'zone' | 'serviceAccounts'> {
  const project = gce.text('project_id');
  const zone = gce.text('zone');
  requireListed('GCS_PROJECT_NOT_ALLOWED', project, section.projects, checks);
  requireListed('GCS_ZONE_NOT_ALLOWED', zone, section.zones, checks);
  const accounts = claims.has('google_service_accounts') ? claims.texts('google_service_accounts') : [];
  const wanted = section.serviceAccounts;
  if (wanted === undefined) checks.notApplicable('GCS_SERVICE_ACCOUNT_NOT_ALLOWED', 'the policy lists none');
  else
    checks.require(
      'GCS_SERVICE_ACCOUNT_NOT_ALLOWED',
      accounts.some((account) => wanted.includes(account)),
      {
        expected: anyOf(wanted),
        actual: accounts.length === 0 ? 'none' : anyOf(accounts),
      },
    );
  const identity = Object.freeze({ kind: 'instance-id', value: claims.text('sub') } as const);
  return { identity, project, zone, serviceAccounts: accounts };
}
