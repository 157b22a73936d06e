import { anyOf, type Checklist } from '../../checks.ts';
import type { SnpPolicy } from '../../policy/snp.ts';
import type { SnpProductName } from '../../trust/anchors.ts';
import type { AuthenticReport } from './stages.ts';
import { describeTcb, meetsFloor } from './tcb.ts';

/** Which machine the guest runs on, and the state of its firmware. */
export function appraisePlatform(authentic: AuthenticReport, policy: SnpPolicy, checks: Checklist): void {
  const { product, signingKey, report } = authentic;
  appraiseProduct(product.name, policy, checks);
  checks.require('SNP_SIGNING_KEY_NOT_ALLOWED', policy.signingKeys.includes(signingKey), {
    expected: anyOf(policy.signingKeys),
    actual: signingKey,
  });
  appraiseTcb(authentic, policy, checks);
  appraiseMitigations(authentic, policy, checks);

  const { smtEnabled, aliasCheckComplete } = report.platform;
  if (policy.smt === 'refuse')
    checks.require('SNP_SMT_ENABLED', !smtEnabled, { expected: 'off', actual: smtEnabled ? 'on' : 'off' });
  else checks.notApplicable('SNP_SMT_ENABLED', 'the policy allows multithreading');
  if (policy.requireAliasCheck === true) {
    checks.require('SNP_ALIAS_CHECK_MISSING', aliasCheckComplete, {
      expected: 'complete',
      actual: aliasCheckComplete ? 'complete' : 'not complete',
    });
  } else {
    checks.notApplicable('SNP_ALIAS_CHECK_MISSING', 'the policy does not require it');
  }
  appraiseIdentity(authentic, policy, checks);
}

function appraiseProduct(name: SnpProductName, { products, denyProducts }: SnpPolicy, checks: Checklist): void {
  if (products === undefined) checks.notApplicable('SNP_PRODUCT_NOT_ALLOWED', 'the policy lists none');
  else checks.require('SNP_PRODUCT_NOT_ALLOWED', products.includes(name), { expected: anyOf(products), actual: name });
  if (denyProducts === undefined) checks.notApplicable('SNP_PRODUCT_DENIED', 'the policy lists none');
  else
    checks.require('SNP_PRODUCT_DENIED', !denyProducts.includes(name), {
      expected: `none of ${anyOf(denyProducts)}`,
      actual: name,
    });
}

/**
 * Floors hold for all four: the reported TCB chose the signing key, the committed one bounds a rollback, the current one
 * runs now, and the launch one measured the guest.
 */
function appraiseTcb({ product, tcb }: AuthenticReport, policy: SnpPolicy, checks: Checklist): void {
  const floor = policy.minimumTcb[product.name] ?? product.defaultFloor;
  const named = [
    ['SNP_TCB_REPORTED_LOW', tcb.reported],
    ['SNP_TCB_COMMITTED_LOW', tcb.committed],
    ['SNP_TCB_CURRENT_LOW', tcb.current],
    ['SNP_TCB_LAUNCH_LOW', tcb.launch],
  ] as const;
  for (const [code, version] of named) {
    checks.require(code, meetsFloor(version, floor), {
      expected: `at least ${describeTcb(floor)}`,
      actual: describeTcb(version),
    });
  }
}

function appraiseMitigations({ report }: AuthenticReport, policy: SnpPolicy, checks: Checklist): void {
  if (policy.requiredMitigations === undefined) {
    checks.notApplicable('SNP_MITIGATION_MISSING', 'the policy requires none');
    return;
  }
  const mask = BigInt(`0x${policy.requiredMitigations}`);
  const { launch, current } = report.mitigations ?? { launch: 0n, current: 0n };
  checks.require('SNP_MITIGATION_MISSING', (launch & current & mask) === mask, {
    expected: `0x${mask.toString(16)} at launch and now`,
    actual:
      report.mitigations === undefined
        ? `none: a version ${report.version} report`
        : `0x${launch.toString(16)} at launch, 0x${current.toString(16)} now`,
  });
}

/** A chip list cannot be applied to a report that does not name its chip, so such a report does not pass one. */
function appraiseIdentity({ identity }: AuthenticReport, policy: SnpPolicy, checks: Checklist): void {
  const { chipIds, cspIds } = policy;
  const isChip = identity.kind === 'chip-id';
  const none = 'the policy lists none';
  if (chipIds?.allow === undefined && chipIds?.deny === undefined) {
    checks.notApplicable('SNP_CHIP_UNKNOWN', none);
  } else {
    checks.require('SNP_CHIP_UNKNOWN', isChip, { expected: 'a report that names its chip', actual: identity.kind });
  }
  if (chipIds?.allow === undefined) checks.notApplicable('SNP_CHIP_NOT_ALLOWED', none);
  else
    checks.require('SNP_CHIP_NOT_ALLOWED', chipIds.allow.includes(identity.value), {
      expected: anyOf(chipIds.allow),
      actual: identity.value,
    });
  if (chipIds?.deny === undefined) checks.notApplicable('SNP_CHIP_DENIED', none);
  else
    checks.require('SNP_CHIP_DENIED', !chipIds.deny.includes(identity.value), {
      expected: `none of ${anyOf(chipIds.deny)}`,
      actual: identity.value,
    });
  if (cspIds === undefined) checks.notApplicable('SNP_CSP_NOT_ALLOWED', none);
  else if (isChip) checks.notApplicable('SNP_CSP_NOT_ALLOWED', 'signed by a VCEK');
  else
    checks.require('SNP_CSP_NOT_ALLOWED', cspIds.includes(identity.value), {
      expected: anyOf(cspIds),
      actual: identity.value,
    });
}
