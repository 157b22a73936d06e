import type { ErrorCode } from '@fastness/codec/errors';
import { anyOf, type Checklist } from '../../checks.ts';
import type { ArmIdentity } from './endorsements.ts';

/** The lists of a policy that speak about devices and implementations. */
export function appraiseIdentity(
  { instanceId, implementationId }: ArmIdentity,
  lists: {
    readonly implementationIds?: readonly string[];
    readonly instances?: { readonly allow?: readonly string[]; readonly deny?: readonly string[] };
  },
  codes: { readonly implementation: ErrorCode; readonly allow: ErrorCode; readonly deny: ErrorCode },
  checks: Checklist,
): void {
  const { implementationIds, instances } = lists;
  requireListed(codes.implementation, implementationId, implementationIds, checks);
  requireListed(codes.allow, instanceId, instances?.allow, checks);
  const denied = instances?.deny;
  if (denied === undefined) checks.notApplicable(codes.deny, 'the policy lists none');
  else {
    checks.require(codes.deny, !denied.includes(instanceId), {
      expected: `none of ${anyOf(denied)}`,
      actual: instanceId,
    });
  }
}

/** That a value is on a list, if there is one. */
export function requireListed(
  code: ErrorCode,
  value: string | undefined,
  list: readonly string[] | undefined,
  checks: Checklist,
): void {
  if (list === undefined) checks.notApplicable(code, 'the policy lists none');
  else {
    const listed = value !== undefined && list.includes(value);
    checks.require(code, listed, { expected: anyOf(list), actual: value ?? 'none' });
  }
}
