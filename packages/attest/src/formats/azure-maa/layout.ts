import { AZURE_MAA_TOKEN_TYPE } from '../../media-types.ts';
import type { TokenService } from '../token/service.ts';

/** Microsoft Azure Attestation: tokens are signed with RS256 and live for eight hours. */
export const azureMaa: TokenService = Object.freeze({
  tee: 'azure-maa',
  name: 'Microsoft Azure Attestation',
  evidenceType: AZURE_MAA_TOKEN_TYPE,
  algorithms: Object.freeze(['RS256'] as const),
  maxLifetimeSeconds: 8 * 3600,
});

/** `x-ms-ver` of the claim set that is read (learn.microsoft.com/azure/attestation/claim-sets). */
export const CLAIMS_VERSION = '1.0';
/** `x-ms-attestation-type` of a guest whose TEE is described by the claims in `x-ms-isolation-tee`. */
export const NESTED_TYPE = 'azurevm';

/** Where the claims of each TEE are. */
export interface MaaTee {
  readonly tee: 'sgx' | 'sev-snp' | 'tdx';
  /** `x-ms-attestation-type`. */
  readonly type: string;
  readonly measurement: string;
  readonly measurementBytes: number;
  readonly debug: string;
  readonly reportData: string;
}

export const maaTees: readonly MaaTee[] = Object.freeze([
  Object.freeze({
    tee: 'sgx',
    type: 'sgx',
    measurement: 'x-ms-sgx-mrenclave',
    measurementBytes: 32,
    debug: 'x-ms-sgx-is-debuggable',
    reportData: 'x-ms-sgx-report-data',
  } as const),
  Object.freeze({
    tee: 'sev-snp',
    type: 'sevsnpvm',
    measurement: 'x-ms-sevsnpvm-launchmeasurement',
    measurementBytes: 48,
    debug: 'x-ms-sevsnpvm-is-debuggable',
    reportData: 'x-ms-sevsnpvm-reportdata',
  } as const),
  Object.freeze({
    tee: 'tdx',
    type: 'tdxvm',
    measurement: 'tdx_mrtd',
    measurementBytes: 48,
    debug: 'tdx_td_attributes_debug',
    reportData: 'tdx_report_data',
  } as const),
]);
