import { anyOf, type Checklist } from '../../checks.ts';
import type { IntelTrustAuthorityClaims } from '../../claims/token.ts';
import type { IntelTrustAuthorityPolicy } from '../../policy/intel-trust-authority.ts';
import { requireListed } from '../token/appraise.ts';
import type { ClaimReader } from '../token/claims.ts';
import type { ItaTee } from './layout.ts';

/** What the service says about the TEE: debugging, measurement, and what else its kind has. */
export function appraiseTee(
  subject: {
    readonly claims: ClaimReader;
    readonly tee: ItaTee;
    readonly section: IntelTrustAuthorityPolicy;
    readonly measurements: readonly string[];
  },
  checks: Checklist,
): Pick<IntelTrustAuthorityClaims, 'debug' | 'measurement' | 'rtmrs' | 'mrSigner'> {
  const { claims, tee, section, measurements } = subject;
  const flags = tee.debug.map((claim) => claims.boolean(claim));
  const debug = flags.includes(true) || (claims.has('dbgstat') && claims.text('dbgstat') !== 'disabled');
  checks.requireUnlessWaived('ITA_DEBUG', !debug, {
    expected: 'no debugging',
    actual: debug ? 'debugging is possible' : 'none',
  });
  const measurement = claims.hex(tee.measurement, tee.measurementBytes);
  checks.require('ITA_MEASUREMENT_NOT_ALLOWED', measurements.includes(measurement), {
    expected: anyOf(measurements),
    actual: measurement,
  });
  const migratable = claims.has('tdx_is_migratable') && claims.boolean('tdx_is_migratable');
  checks.requireUnlessWaived('ITA_MIGRATION', !migratable, {
    expected: 'no migration',
    actual: migratable ? 'migration is possible' : 'none',
  });
  if (tee.tee === 'sgx') {
    checks.notApplicable('ITA_SEPT_VE', 'TDX only');
    checks.notApplicable('ITA_RTMR_NOT_ALLOWED', 'TDX only');
    const mrSigner = claims.hex('sgx_mrsigner', 32);
    requireListed('ITA_SIGNER_NOT_ALLOWED', mrSigner, section.signers, checks);
    return { debug, measurement, mrSigner };
  }
  checks.notApplicable('ITA_SIGNER_NOT_ALLOWED', 'SGX only');
  if (section.septVeDisable === 'any') checks.notApplicable('ITA_SEPT_VE', 'the policy accepts both');
  else {
    const disabled = claims.boolean('tdx_td_attributes_septve_disable');
    checks.require('ITA_SEPT_VE', disabled, { expected: 'SEPT_VE_DISABLE', actual: disabled ? 'set' : 'not set' });
  }
  return { debug, measurement, rtmrs: appraiseRtmrs(claims, section.rtmrs, checks) };
}

function appraiseRtmrs(
  claims: ClaimReader,
  lists: IntelTrustAuthorityPolicy['rtmrs'],
  checks: Checklist,
): readonly [string, string, string, string] {
  const [a, b, c, d] = [0, 1, 2, 3].map((index) => claims.hex(`tdx_rtmr${index}`, 48));
  const rtmrs = [a ?? '', b ?? '', c ?? '', d ?? ''] as const;
  if (lists === undefined) checks.notApplicable('ITA_RTMR_NOT_ALLOWED', 'the policy lists none');
  for (const index of [0, 1, 2, 3] as const) {
    const list = lists?.[index];
    if (list !== undefined) requireListed('ITA_RTMR_NOT_ALLOWED', rtmrs[index], list, checks);
  }
  return rtmrs;
}
