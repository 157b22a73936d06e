import { anyOf, type Checklist } from '../../checks.ts';
import type { TdxClaims } from '../../claims/dcap.ts';
import type { TdxPolicy } from '../../policy/tdx.ts';
import type { ReplayedRtmrLog } from '../../event-log/index.ts';
import { appraiseRegisters } from './appraise-registers.ts';
import { knownTdAttributes, tdAttributes, XFAM_ALLOWED, XFAM_FIXED_ONE, type TdBody } from './body.ts';

const ZERO = '00'.repeat(48);

/** How the TD was launched, what was measured into it, and what the host handed it. Returns what a log said, if one came. */
export function appraiseTd(
  body: TdBody,
  log: ReplayedRtmrLog | undefined,
  policy: TdxPolicy,
  checks: Checklist,
): TdxClaims['eventLog'] {
  const set = (flag: bigint) => (body.tdAttributes & flag) !== 0n;
  const shown = (flag: bigint) => (set(flag) ? 'set' : 'clear');
  checks.requireUnlessWaived('TDX_DEBUG_ALLOWED', !set(tdAttributes.debug), {
    expected: 'clear',
    actual: shown(tdAttributes.debug),
  });
  const unknown = body.tdAttributes & ~knownTdAttributes;
  checks.require('TDX_ATTRIBUTES_RESERVED', unknown === 0n, { expected: '0', actual: `0x${unknown.toString(16)}` });
  const xfamValid = (body.xfam & XFAM_FIXED_ONE) === XFAM_FIXED_ONE && (body.xfam & ~XFAM_ALLOWED) === 0n;
  checks.require('TDX_XFAM_INVALID', xfamValid, {
    expected: `bits of 0x${XFAM_ALLOWED.toString(16)}, with 0x${XFAM_FIXED_ONE.toString(16)}`,
    actual: `0x${body.xfam.toString(16)}`,
  });
  if (policy.septVeDisable === 'any') {
    checks.notApplicable('TDX_SEPT_VE_ENABLED', 'the policy does not ask for SEPT_VE_DISABLE');
  } else {
    checks.require('TDX_SEPT_VE_ENABLED', set(tdAttributes.septVeDisable), {
      expected: 'set',
      actual: shown(tdAttributes.septVeDisable),
    });
  }
  appraiseServiceTd(body, policy, set(tdAttributes.migratable), checks);
  const found = appraiseRegisters(body.rtmrs, log, policy, checks);
  listed('TDX_CONFIG_ID_NOT_ALLOWED', body.mrConfigId, policy.mrConfigIds, checks);
  listed('TDX_OWNER_NOT_ALLOWED', body.mrOwner, policy.mrOwners, checks);
  return found;
}

/** A TD 1.0 body has no MRSERVICETD, so a TD that may migrate does not say to whose care. */
function appraiseServiceTd(body: TdBody, policy: TdxPolicy, migratable: boolean, checks: Checklist): void {
  const { mrServiceTd } = body;
  const { serviceTds = [] } = policy;
  checks.require('TDX_MIGRATABLE', !migratable || (serviceTds.length > 0 && mrServiceTd !== undefined), {
    expected: 'clear, or service TDs that the policy lists and the quote names',
    actual: migratable ? 'set' : 'clear',
  });
  if (mrServiceTd === undefined) {
    checks.notApplicable('TDX_SERVICE_TD_NOT_ALLOWED', 'a TD 1.0 body does not name service TDs');
    return;
  }
  checks.require('TDX_SERVICE_TD_NOT_ALLOWED', mrServiceTd === ZERO || serviceTds.includes(mrServiceTd), {
    expected: serviceTds.length === 0 ? 'none' : anyOf(serviceTds),
    actual: mrServiceTd,
  });
}

function listed(
  code: 'TDX_CONFIG_ID_NOT_ALLOWED' | 'TDX_OWNER_NOT_ALLOWED',
  actual: string,
  list: readonly string[] | undefined,
  checks: Checklist,
): void {
  if (list === undefined) checks.notApplicable(code, 'the policy lists none');
  else checks.require(code, list.includes(actual), { expected: anyOf(list), actual });
}
