import { INTEL_TRUST_AUTHORITY_TOKEN_TYPE } from '../../media-types.ts';
import type { TokenService } from '../token/service.ts';

/** Intel Trust Authority: tokens are signed with PS384, or RS256 on request; they live for five minutes unless configured. */
export const intelTrustAuthority: TokenService = Object.freeze({
  tee: 'intel-trust-authority',
  name: 'Intel Trust Authority',
  evidenceType: INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
  algorithms: Object.freeze(['PS384', 'RS256'] as const),
  maxLifetimeSeconds: 24 * 3600,
});

/** Where the claims of each TEE are (portal.trustauthority.intel.com/eat_profile.html). */
export interface ItaTee {
  readonly tee: 'sgx' | 'tdx';
  /** `attester_type`. */
  readonly type: string;
  /** Member that holds the claims since version 2; in version 1 they are not nested. */
  readonly member: 'sgx' | 'tdx';
  readonly measurement: string;
  readonly measurementBytes: number;
  readonly reportData: string;
  /** Claims, each of which must be there and false. */
  readonly debug: readonly string[];
}

export const itaTees: readonly ItaTee[] = Object.freeze([
  Object.freeze({
    tee: 'tdx',
    type: 'TDX',
    member: 'tdx',
    measurement: 'tdx_mrtd',
    measurementBytes: 48,
    reportData: 'tdx_report_data',
    debug: Object.freeze(['tdx_is_debuggable', 'tdx_td_attributes_debug']),
  } as const),
  Object.freeze({
    tee: 'sgx',
    type: 'SGX',
    member: 'sgx',
    measurement: 'sgx_mrenclave',
    measurementBytes: 32,
    reportData: 'sgx_report_data',
    debug: Object.freeze(['sgx_is_debuggable']),
  } as const),
]);

/** `ver` of the claim sets that are read. */
export const itaVersions: ReadonlySet<string> = new Set(['1.0', '1.0.0', '2.0', '2.0.0']);
