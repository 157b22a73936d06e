import { toBase64, toBase64Url, toHex } from '@fastness/codec/bytes';

/** Claims of a token, to be edited by a test before they are signed. */
export type ForgedClaims = Record<string, unknown>;

interface ClaimsOptions {
  /** When the token was issued. */
  readonly now: Date;
  /** What the attester bound. */
  readonly reportData: Uint8Array;
}

/** Values that forged tokens state: hex of as many bytes, each of its own digit pair. */
export const forgedValues = Object.freeze({
  mrEnclave: 'a1'.repeat(32),
  mrSigner: 'a2'.repeat(32),
  launchMeasurement: 'a3'.repeat(48),
  mrTd: 'a4'.repeat(48),
  rtmrs: Object.freeze(['b0'.repeat(48), 'b1'.repeat(48), 'b2'.repeat(48), 'b3'.repeat(48)] as const),
  hostData: 'a5'.repeat(32),
  imageDigest: 'a6'.repeat(32),
  policyHash: 'QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE',
});

/** `iat`, `nbf` and `exp`, `life` seconds apart. */
function times(now: Date, life: number): ForgedClaims {
  const iat = Math.floor(now.getTime() / 1000) - 30;
  return { iat, nbf: iat, exp: iat + life, jti: '6b1f3c3e-0000-4000-8000-000000000000' };
}

/** Claims as Azure Attestation writes them, at the top level for a TEE or in `x-ms-isolation-tee` for a nested guest. */
export function forgeMaaClaims(
  options: ClaimsOptions & {
    readonly issuer: string;
    readonly type: 'sgx' | 'sevsnpvm' | 'tdxvm';
    readonly nested?: boolean;
  },
): ForgedClaims {
  const { now, reportData, issuer, type, nested = false } = options;
  const hardware = type === 'sgx' ? {} : { 'x-ms-compliance-status': 'azure-compliant-cvm' };
  const tee = { 'x-ms-attestation-type': type, ...hardware, ...maaTee(type, reportData) };
  return {
    ...times(now, 8 * 3600),
    iss: issuer,
    'x-ms-ver': '1.0',
    'x-ms-policy-hash': forgedValues.policyHash,
    nonce: toBase64Url(reportData),
    'x-ms-runtime': { 'client-payload': { nonce: toBase64(reportData) }, keys: [] },
    ...(nested
      ? {
          'x-ms-attestation-type': 'azurevm',
          secureboot: true,
          'x-ms-azurevm-debuggersdisabled': true,
          'x-ms-isolation-tee': tee,
        }
      : tee),
  };
}

function maaTee(type: 'sgx' | 'sevsnpvm' | 'tdxvm', reportData: Uint8Array): ForgedClaims {
  const bound = toHex(reportData).padEnd(128, '0');
  if (type === 'sgx')
    return {
      'x-ms-sgx-is-debuggable': false,
      'x-ms-sgx-mrenclave': forgedValues.mrEnclave,
      'x-ms-sgx-mrsigner': forgedValues.mrSigner,
      'x-ms-sgx-product-id': 1,
      'x-ms-sgx-svn': 1,
      'x-ms-sgx-ehd': toBase64Url(reportData),
      'x-ms-sgx-report-data': bound,
    };
  if (type === 'tdxvm')
    return {
      dbgstat: 'disabled',
      tdx_td_attributes_debug: false,
      tdx_mrtd: forgedValues.mrTd,
      ...rtmrs(),
      tdx_report_data: bound,
    };
  return {
    'x-ms-sevsnpvm-is-debuggable': false,
    'x-ms-sevsnpvm-migration-allowed': false,
    'x-ms-sevsnpvm-launchmeasurement': forgedValues.launchMeasurement,
    'x-ms-sevsnpvm-hostdata': forgedValues.hostData,
    'x-ms-sevsnpvm-reportdata': bound,
    'x-ms-sevsnpvm-bootloader-svn': 4,
    'x-ms-sevsnpvm-tee-svn': 0,
    'x-ms-sevsnpvm-snpfw-svn': 24,
    'x-ms-sevsnpvm-microcode-svn': 219,
    'x-ms-sevsnpvm-vmpl': 0,
  };
}

/** Claims as Intel Trust Authority writes them: version 2 nests them under the name of the TEE. */
export function forgeItaClaims(
  options: ClaimsOptions & { readonly issuer: string; readonly type: 'tdx' | 'sgx'; readonly version?: 1 | 2 },
): ForgedClaims {
  const { now, reportData, issuer, type, version = 2 } = options;
  const common = {
    attester_type: type.toUpperCase(),
    attester_held_data: toBase64(reportData),
    attester_tcb_status: 'UpToDate',
    attester_tcb_date: '2025-05-14T00:00:00Z',
    attester_advisory_ids: ['INTEL-SA-00837'],
    policy_ids_matched: [{ id: 'policy-1', version: 'v1' }],
    dbgstat: 'disabled',
  };
  const bound = toHex(reportData).padEnd(128, '0');
  const tee =
    type === 'tdx'
      ? {
          ...common,
          tdx_is_debuggable: false,
          tdx_td_attributes_debug: false,
          tdx_td_attributes_septve_disable: true,
          tdx_mrtd: forgedValues.mrTd,
          ...rtmrs(),
          tdx_report_data: bound,
        }
      : {
          ...common,
          sgx_is_debuggable: false,
          sgx_mrenclave: forgedValues.mrEnclave,
          sgx_mrsigner: forgedValues.mrSigner,
          sgx_isvprodid: 1,
          sgx_isvsvn: 1,
          sgx_report_data: bound,
        };
  return {
    ...times(now, 300),
    iss: issuer,
    eat_profile: 'https://portal.trustauthority.intel.com/eat_profile.html',
    intuse: 'generic',
    ver: version === 2 ? '2.0.0' : '1.0.0',
    ...(version === 2 ? { [type]: tee } : tee),
  };
}

function rtmrs(): ForgedClaims {
  return Object.fromEntries(forgedValues.rtmrs.map((value, index) => [`tdx_rtmr${index}`, value]));
}

/** Claims as Google's service for Confidential Space writes them. */
export function forgeConfidentialSpaceClaims(options: ClaimsOptions): ForgedClaims {
  const { now, reportData } = options;
  return {
    ...times(now, 3600),
    aud: 'https://verifier.example',
    iss: 'https://confidentialcomputing.googleapis.com',
    sub: 'https://www.googleapis.com/compute/v1/projects/forged/zones/eu-forged1-a/instances/one',
    eat_nonce: [toBase64Url(reportData), 'another nonce'],
    eat_profile: 'https://cloud.google.com/confidential-computing/confidential-space/docs/reference/token-claims',
    secboot: true,
    oemid: 11_129,
    hwmodel: 'GCP_INTEL_TDX',
    swname: 'CONFIDENTIAL_SPACE',
    swversion: ['250800'],
    dbgstat: 'disabled-since-boot',
    submods: {
      confidential_space: { support_attributes: ['LATEST', 'STABLE', 'USABLE'] },
      container: {
        image_reference: `registry.example/enclave@sha256:${forgedValues.imageDigest}`,
        image_digest: `sha256:${forgedValues.imageDigest}`,
        restart_policy: 'Never',
        env: { PATH: '/bin' },
        args: ['/bin/enclave', '--serve'],
      },
      gce: { zone: 'eu-forged1-a', project_id: 'forged', instance_name: 'one' },
    },
    tdx: { gcp_attester_tcb_status: 'UpToDate' },
    google_service_accounts: ['workload@forged.iam.gserviceaccount.com'],
  };
}
