import { anyOf, type Checklist } from '../../checks.ts';
import type { GuestProtection, SnpPolicy } from '../../policy/snp.ts';
import type { GuestPolicy } from './report.ts';
import type { AuthenticReport } from './stages.ts';

const protectionFlags: Readonly<Record<GuestProtection, (policy: GuestPolicy) => boolean>> = Object.freeze({
  'single-socket': (policy) => policy.singleSocket,
  'memory-aes-256-xts': (policy) => policy.memoryAes256Xts,
  'rapl-disabled': (policy) => policy.raplDisabled,
  'ciphertext-hiding': (policy) => policy.ciphertextHiding,
  'page-swap-disabled': (policy) => policy.pageSwapDisabled,
});

/** How the guest was launched: its policy, its privilege level, who it says it is, and what the host handed it. */
export function appraiseGuestPolicy({ report }: AuthenticReport, policy: SnpPolicy, checks: Checklist): void {
  const guest = report.policy;
  const set = (value: boolean) => (value ? 'set' : 'clear');
  checks.require('SNP_POLICY_RESERVED_ONE', guest.reservedOne, { expected: 'set', actual: set(guest.reservedOne) });
  checks.require('SNP_POLICY_RESERVED_BITS', guest.unknown === 0n, {
    expected: 'bits 63 to 26 clear',
    actual: `0x${guest.bits.toString(16)}`,
  });
  checks.requireUnlessWaived('SNP_DEBUG_ALLOWED', !guest.debugAllowed, {
    expected: 'clear',
    actual: set(guest.debugAllowed),
  });
  checks.requireUnlessWaived('SNP_MIGRATION_ALLOWED', !guest.migrationAgentAllowed, {
    expected: 'clear',
    actual: set(guest.migrationAgentAllowed),
  });
  if (policy.smt === 'refuse') {
    checks.require('SNP_SMT_ALLOWED', !guest.smtAllowed, { expected: 'clear', actual: set(guest.smtAllowed) });
  } else {
    checks.notApplicable('SNP_SMT_ALLOWED', 'the policy allows multithreading');
  }
  appraiseProtections(guest, policy, checks);
  checks.require('SNP_VMPL_NOT_ALLOWED', policy.vmpl.includes(report.vmpl), {
    expected: anyOf(policy.vmpl),
    actual: `${report.vmpl}`,
  });
  listed('SNP_HOST_DATA_NOT_ALLOWED', report.hostData, policy.hostData, checks);
  listed('SNP_ID_KEY_NOT_ALLOWED', report.idKeyDigest, policy.idKeyDigests, checks);
  // Without AUTHOR_KEY_EN the field is zero by definition, and no key stands behind it.
  listed(
    'SNP_AUTHOR_KEY_NOT_ALLOWED',
    report.authorKeyEnabled ? report.authorKeyDigest : 'no author key',
    policy.authorKeyDigests,
    checks,
  );
}

function appraiseProtections(guest: GuestPolicy, policy: SnpPolicy, checks: Checklist): void {
  const required = policy.requireProtections;
  if (required === undefined) {
    checks.notApplicable('SNP_GUEST_POLICY_WEAK', 'the policy requires no protections');
    return;
  }
  const missing = required.filter((name) => !protectionFlags[name](guest));
  checks.require('SNP_GUEST_POLICY_WEAK', missing.length === 0, {
    expected: required.join(', '),
    actual: missing.length === 0 ? 'all of them' : `no ${missing.join(', no ')}`,
  });
}

type ListCode = 'SNP_HOST_DATA_NOT_ALLOWED' | 'SNP_ID_KEY_NOT_ALLOWED' | 'SNP_AUTHOR_KEY_NOT_ALLOWED';

function listed(code: ListCode, actual: string, list: readonly string[] | undefined, checks: Checklist): void {
  if (list === undefined) checks.notApplicable(code, 'the policy lists none');
  else checks.require(code, list.includes(actual), { expected: anyOf(list), actual });
}
