import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { anyOf, type Checklist } from '../../checks.ts';
import type { DcapPolicy } from '../../policy/dcap.ts';
import type { AuthenticQuote } from './stages.ts';

/** What the policy says about the platform: its TCB, the age of the collateral, its kind, and which one it is. */
export function appraisePlatform(
  { pck, tcb, tcbEvaluationDataNumber }: AuthenticQuote<unknown>,
  policy: DcapPolicy,
  checks: Checklist,
): void {
  checks.require('DCAP_TCB_REVOKED', tcb.status !== 'Revoked', { expected: 'a TCB not revoked', actual: tcb.status });
  checks.require(
    'DCAP_TCB_STATUS_NOT_ALLOWED',
    policy.tcbStatuses.some((status) => status === tcb.status),
    {
      expected: anyOf(policy.tcbStatuses),
      actual: `${tcb.status}${tcb.advisories.length === 0 ? '' : ` (${anyOf(tcb.advisories)})`}`,
    },
  );
  const { advisories } = policy;
  if (advisories === undefined) {
    checks.notApplicable('DCAP_ADVISORY_NOT_ALLOWED', 'the policy lists no advisories');
  } else {
    const open = tcb.advisories.filter((advisory) => !advisories.includes(advisory));
    checks.require('DCAP_ADVISORY_NOT_ALLOWED', open.length === 0, {
      expected: advisories.length === 0 ? 'no advisory' : anyOf(advisories),
      actual: open.length === 0 ? 'nothing else' : anyOf(open),
    });
  }
  const floor = policy.minimumTcbEvaluationDataNumber;
  checks.require('DCAP_TCB_EVALUATION_LOW', tcbEvaluationDataNumber >= floor, {
    expected: `${floor} or higher`,
    actual: `${tcbEvaluationDataNumber}`,
  });
  listed(['DCAP_FMSPC_NOT_ALLOWED', 'DCAP_FMSPC_DENIED'], pck.fmspc, policy.fmspcs, checks);
  listed(['DCAP_PPID_NOT_ALLOWED', 'DCAP_PPID_DENIED'], pck.ppid, policy.ppids, checks);
}

type ListCodes =
  readonly ['DCAP_FMSPC_NOT_ALLOWED', 'DCAP_FMSPC_DENIED'] | readonly ['DCAP_PPID_NOT_ALLOWED', 'DCAP_PPID_DENIED'];

function listed([notAllowed, denied]: ListCodes, actual: string, lists: DcapPolicy['fmspcs'], checks: Checklist): void {
  const { allow, deny } = lists ?? {};
  if (allow === undefined) checks.notApplicable(notAllowed, 'the policy lists none');
  else checks.require(notAllowed, allow.includes(actual), { expected: anyOf(allow), actual });
  if (deny === undefined) checks.notApplicable(denied, 'the policy lists none');
  else checks.require(denied, !deny.includes(actual), { expected: `none of ${anyOf(deny)}`, actual });
}

/** The expected report data as hex. Throws ATTEST_ARGUMENT_INVALID unless it is 64 bytes. */
export function expectedReportDataOf(expected: Uint8Array): string {
  if (!(expected instanceof Uint8Array) || expected.length !== 64) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'expectedReportData must be 64 bytes.');
  }
  return toHex(expected);
}
