import { toBase64, toBase64Url } from '@fastness/codec';
import type { TokenFailure } from './token-failures-jws.ts';
import { put, reportData, type TokenScenario } from './token-forge.ts';

type Change = Omit<TokenScenario, 'service'>;
const maa = (change: Change): TokenScenario => ({ service: 'azure-maa', ...change });
const ita = (change: Change): TokenScenario => ({ service: 'intel-trust-authority', ...change });
const google = (change: Change): TokenScenario => ({ service: 'gcp-confidential-space', ...change });
const section = (members: object) => ({ section: () => members });
const other48 = 'ee'.repeat(48);
const other32 = 'ee'.repeat(32);

export const maaFailures: readonly TokenFailure[] = [
  ['MAA_CLAIM', 'no version', maa({ claims: put(undefined, 'x-ms-ver') })],
  ['MAA_CLAIM', 'a measurement that is no hex', maa({ claims: put('zz', 'x-ms-sevsnpvm-launchmeasurement') })],
  ['MAA_CLAIM', 'no word about debugging', maa({ claims: put(undefined, 'x-ms-sevsnpvm-is-debuggable') })],
  ['MAA_CLAIM', 'debugging as text', maa({ claims: put('false', 'x-ms-sevsnpvm-is-debuggable') })],
  ['MAA_VERSION', 'version 2', maa({ claims: put('2.0', 'x-ms-ver') })],
  ['MAA_NESTED', 'a nested guest', maa({ nested: true, ...section({ nested: undefined }) })],
  ['MAA_NOT_ISOLATED', 'an ordinary machine', maa({ nested: true, claims: put(undefined, 'x-ms-isolation-tee') })],
  ['MAA_TEE_NOT_ALLOWED', 'not listed', maa(section({ tees: ['tdx'] }))],
  ['MAA_TEE_NOT_ALLOWED', 'a TPM', maa({ claims: put('tpm', 'x-ms-attestation-type') })],
  ['MAA_TEE_NOT_ALLOWED', 'a nested TEE that is not listed', maa({ nested: true, ...section({ tees: ['tdx'] }) })],
  [
    'TOKEN_NONCE_MISMATCH',
    'report data of a nested guest, which is that of the paravisor',
    maa({
      nested: true,
      ...section({ binding: 'report-data' }),
      claims: put('cc'.repeat(64), 'x-ms-isolation-tee', 'x-ms-sevsnpvm-reportdata'),
    }),
  ],
  [
    'TOKEN_NONCE_MISMATCH',
    'another runtime nonce',
    maa({ nested: true, claims: put(toBase64(reportData.slice(1)), 'x-ms-runtime', 'client-payload', 'nonce') }),
  ],
  ['TOKEN_NONCE_MISMATCH', 'no runtime claims', maa({ nested: true, claims: put(undefined, 'x-ms-runtime') })],
  ['TOKEN_NONCE_MISMATCH', 'another nonce', maa({ ...section({ binding: 'nonce' }), claims: put('AAAA', 'nonce') })],
  [
    'TOKEN_NONCE_MISMATCH',
    'other held data',
    maa({
      type: 'sgx',
      ...section({ binding: 'held-data' }),
      claims: put(toBase64Url(reportData.slice(1)), 'x-ms-sgx-ehd'),
    }),
  ],
  ['MAA_POLICY_NOT_ALLOWED', 'another policy', maa(section({ policyHashes: ['A'.repeat(43)] }))],
  [
    'MAA_POLICY_NOT_ALLOWED',
    'no hash',
    maa({ ...section({ policyHashes: ['A'.repeat(43)] }), claims: put(undefined, 'x-ms-policy-hash') }),
  ],
  ['MAA_SECURE_BOOT', 'no Secure Boot', maa({ nested: true, claims: put(false, 'secureboot') })],
  ['MAA_SECURE_BOOT', 'nothing about it', maa({ nested: true, claims: put(undefined, 'secureboot') })],
  ['MAA_SECURE_BOOT', 'debuggers', maa({ nested: true, claims: put(false, 'x-ms-azurevm-debuggersdisabled') })],
  ['MAA_NOT_COMPLIANT', 'another status', maa({ claims: put('azure-signed-uvm', 'x-ms-compliance-status') })],
  ['MAA_NOT_COMPLIANT', 'no status', maa({ claims: put(undefined, 'x-ms-compliance-status') })],
  ['MAA_DEBUG', 'SEV-SNP', maa({ claims: put(true, 'x-ms-sevsnpvm-is-debuggable') })],
  ['MAA_DEBUG', 'SGX', maa({ type: 'sgx', claims: put(true, 'x-ms-sgx-is-debuggable') })],
  ['MAA_DEBUG', 'TDX', maa({ type: 'tdxvm', claims: put(true, 'tdx_td_attributes_debug') })],
  ['MAA_DEBUG', 'TDX, by dbgstat alone', maa({ type: 'tdxvm', claims: put('enabled', 'dbgstat') })],
  [
    'MAA_DEBUG',
    'a nested guest',
    maa({ nested: true, claims: put(true, 'x-ms-isolation-tee', 'x-ms-sevsnpvm-is-debuggable') }),
  ],
  ['MAA_MEASUREMENT_NOT_ALLOWED', 'another launch', maa(section({ measurements: [other48] }))],
  ['MAA_SIGNER_NOT_ALLOWED', 'another signer', maa({ type: 'sgx', ...section({ signers: [other32] }) })],
  ['MAA_RTMR_NOT_ALLOWED', 'another kernel', maa({ type: 'tdxvm', ...section({ rtmrs: { 1: [other48] } }) })],
  ['MAA_MIGRATION', 'a migration agent', maa({ claims: put(true, 'x-ms-sevsnpvm-migration-allowed') })],
  ['MAA_TCB_LOW', 'old firmware', maa(section({ minimumTcb: { snp: 25 } }))],
  ['MAA_HOST_DATA_NOT_ALLOWED', 'other host data', maa(section({ hostData: [other32] }))],
];

export const itaFailures: readonly TokenFailure[] = [
  ['ITA_CLAIM', 'no measurement', ita({ claims: put(undefined, 'tdx', 'tdx_mrtd') })],
  ['ITA_CLAIM', 'one of two words about debugging', ita({ claims: put(undefined, 'tdx', 'tdx_td_attributes_debug') })],
  ['ITA_VERSION', 'version 3', ita({ claims: put('3.0.0', 'ver') })],
  ['ITA_AMBIGUOUS', 'no TEE', ita({ claims: put(undefined, 'tdx') })],
  ['ITA_AMBIGUOUS', 'two TEEs', ita({ claims: put({}, 'sgx') })],
  ['ITA_AMBIGUOUS', 'nested and not nested', ita({ claims: put('TDX', 'attester_type') })],
  ['ITA_TEE_NOT_ALLOWED', 'not listed', ita(section({ tees: ['sgx'] }))],
  ['ITA_TEE_NOT_ALLOWED', 'another type than its member', ita({ claims: put('SGX', 'tdx', 'attester_type') })],
  ['TOKEN_NONCE_MISMATCH', 'no held data', ita({ claims: put(undefined, 'tdx', 'attester_held_data') })],
  [
    'TOKEN_NONCE_MISMATCH',
    'other report data',
    ita({ ...section({ binding: 'report-data' }), claims: put('cc'.repeat(64), 'tdx', 'tdx_report_data') }),
  ],
  ['ITA_TCB_STATUS_NOT_ALLOWED', 'out of date', ita({ claims: put('OutOfDate', 'tdx', 'attester_tcb_status') })],
  ['ITA_TCB_STATUS_NOT_ALLOWED', 'revoked', ita({ claims: put('Revoked', 'tdx', 'attester_tcb_status') })],
  ['ITA_ADVISORY_NOT_ALLOWED', 'one', ita(section({ advisories: [] }))],
  ['ITA_POLICY_NOT_MATCHED', 'another policy', ita(section({ policyIds: ['policy-1', 'policy-2'] }))],
  ['ITA_DEBUG', 'TDX', ita({ claims: put(true, 'tdx', 'tdx_is_debuggable') })],
  ['ITA_DEBUG', 'TDX, by its attributes', ita({ claims: put(true, 'tdx', 'tdx_td_attributes_debug') })],
  ['ITA_DEBUG', 'by dbgstat', ita({ claims: put('enabled', 'tdx', 'dbgstat') })],
  ['ITA_DEBUG', 'SGX', ita({ type: 'sgx', claims: put(true, 'sgx', 'sgx_is_debuggable') })],
  ['ITA_DEBUG', 'version 1', ita({ version: 1, claims: put(true, 'tdx_is_debuggable') })],
  ['ITA_MEASUREMENT_NOT_ALLOWED', 'another TD', ita(section({ measurements: [other48] }))],
  ['ITA_SIGNER_NOT_ALLOWED', 'another signer', ita({ type: 'sgx', ...section({ signers: [other32] }) })],
  ['ITA_MIGRATION', 'possible', ita({ claims: put(true, 'tdx', 'tdx_is_migratable') })],
  ['ITA_SEPT_VE', 'not set', ita({ claims: put(false, 'tdx', 'tdx_td_attributes_septve_disable') })],
  ['ITA_RTMR_NOT_ALLOWED', 'another kernel', ita(section({ rtmrs: { 2: [other48] } }))],
];

const container = (name: string, value: unknown) => google({ claims: put(value, 'submods', 'container', name) });

export const confidentialSpaceFailures: readonly TokenFailure[] = [
  ['GCS_CLAIM', 'no container', google({ claims: put(undefined, 'submods', 'container') })],
  ['GCS_CLAIM', 'no hardware', google({ claims: put(undefined, 'hwmodel') })],
  ['GCS_CLAIM', 'two TDs', google({ claims: put([{}, {}], 'tdx') })],
  ['GCS_PROFILE', 'another profile', google({ claims: put('https://example.org', 'eat_profile') })],
  ['GCS_PROFILE', 'another maker', google({ claims: put(1, 'oemid') })],
  ['GCS_SOFTWARE', 'an ordinary image', google({ claims: put('GCE', 'swname') })],
  ['GCS_HARDWARE_NOT_ALLOWED', 'a Shielded VM', google({ claims: put('GCP_SHIELDED_VM', 'hwmodel') })],
  ['GCS_HARDWARE_NOT_ALLOWED', 'not listed', google({ claims: put('GCP_AMD_SEV', 'hwmodel') })],
  ['GCS_SECURE_BOOT', 'off', google({ claims: put(false, 'secboot') })],
  ['GCS_DEBUG', 'a debug image', google({ claims: put('enabled', 'dbgstat') })],
  ['GCS_DEBUG', 'disabled, but not since boot', google({ claims: put('disabled', 'dbgstat') })],
  ['GCS_TCB_STATUS_NOT_ALLOWED', 'out of date', google({ claims: put('OutOfDate', 'tdx', 'gcp_attester_tcb_status') })],
  [
    'GCS_SUPPORT',
    'no longer stable',
    google({ claims: put(['USABLE'], 'submods', 'confidential_space', 'support_attributes') }),
  ],
  ['GCS_SUPPORT', 'none', google({ claims: put(undefined, 'submods', 'confidential_space') })],
  ['GCS_VERSION_LOW', 'older', google(section({ minimumVersion: 250_801 }))],
  ['GCS_VERSION_LOW', 'no number', google({ ...section({ minimumVersion: 1 }), claims: put(['x'], 'swversion') })],
  ['GCS_MEASUREMENT_NOT_ALLOWED', 'another image', google(section({ measurements: [other32] }))],
  ['GCS_MEASUREMENT_NOT_ALLOWED', 'another digest', container('image_digest', `sha512:${'a6'.repeat(32)}`)],
  ['GCS_OVERRIDDEN', 'the command', container('cmd_override', ['/bin/sh'])],
  ['GCS_OVERRIDDEN', 'the environment', container('env_override', { LD_PRELOAD: '/tmp/x' })],
  ['GCS_ARGUMENTS_NOT_ALLOWED', 'one more', google(section({ arguments: ['/bin/enclave'] }))],
  ['GCS_ARGUMENTS_NOT_ALLOWED', 'another order', google(section({ arguments: ['--serve', '/bin/enclave'] }))],
  ['GCS_PROJECT_NOT_ALLOWED', 'not listed', google(section({ projects: ['genuine'] }))],
  ['GCS_ZONE_NOT_ALLOWED', 'not listed', google(section({ zones: ['us-west1-b'] }))],
  ['GCS_SERVICE_ACCOUNT_NOT_ALLOWED', 'not listed', google(section({ serviceAccounts: ['a@b.example'] }))],
  ['TOKEN_NONCE_MISMATCH', 'in another encoding than the policy says', google(section({ nonceEncoding: 'hex' }))],
  ['TOKEN_NONCE_MISMATCH', 'no nonce', google({ claims: put(undefined, 'eat_nonce') })],
];

const nras = (change: TokenScenario['nras'], members: object = {}): TokenScenario => ({
  service: 'nvidia-nras',
  ...(change === undefined ? {} : { nras: change }),
  section: () => members,
});
const device = (value: unknown, ...path: string[]) => nras({ device: put(value, ...path) });
const overall = (value: unknown, ...path: string[]) => nras({ overall: put(value, ...path) });
const two = { devices: ['GPU-0', 'GPU-1'] };
const chain = 'x-nvidia-gpu-attestation-report-cert-chain';

export const nrasFailures: readonly TokenFailure[] = [
  ['NRAS_CLAIM', 'no overall result', overall(undefined, 'x-nvidia-overall-att-result')],
  ['NRAS_CLAIM', 'a check that is left out', device(undefined, 'x-nvidia-gpu-arch-check')],
  ['NRAS_CLAIM', 'the result as text', overall('true', 'x-nvidia-overall-att-result')],
  ['TOKEN_NONCE_MISMATCH', 'another nonce', overall('11'.repeat(32), 'eat_nonce')],
  ['NRAS_VERSION', 'another version', overall('9.0', 'x-nvidia-ver')],
  ['NRAS_VERSION', 'another subject', overall('SOMETHING', 'sub')],
  ['NRAS_OVERALL', 'false', overall(false, 'x-nvidia-overall-att-result')],
  [
    'NRAS_SUBMODULES',
    'a device left out',
    nras({ ...two, bundle: ([main, devices]) => [main, { 'GPU-0': devices['GPU-0'] }] }, { deviceCount: 2 }),
  ],
  [
    'NRAS_SUBMODULES',
    'a device too many',
    nras({ bundle: ([main, devices]) => [main, { ...devices, 'GPU-1': devices['GPU-0'] }] }, { deviceCount: 2 }),
  ],
  [
    'NRAS_SUBMODULE_DIGEST',
    'two devices exchanged',
    nras(
      {
        ...two,
        bundle: ([main, devices]) => [main, { 'GPU-0': devices['GPU-1'], 'GPU-1': devices['GPU-0'] }],
      },
      { deviceCount: 2 },
    ),
  ],
  ['NRAS_SUBMODULE_DIGEST', 'another hash', overall({ 'GPU-0': ['DIGEST', ['SHA-1', '00']] }, 'submods')],
  ['NRAS_DEVICE_NONCE', 'another session', device('11'.repeat(32), 'eat_nonce')],
  ['NRAS_KIND_NOT_ALLOWED', 'a switch', nras({ devices: ['SWITCH-0'] }, { kinds: ['gpu'] })],
  ['NRAS_KIND_NOT_ALLOWED', 'an unknown name', nras({ devices: ['DPU-0'] })],
  ...[
    'arch-check',
    'attestation-report-parsed',
    'attestation-report-nonce-match',
    'attestation-report-signature-verified',
    'attestation-report-cert-chain-fwid-match',
    'driver-rim-fetched',
    'driver-rim-signature-verified',
    'driver-rim-version-match',
    'driver-rim-measurements-available',
    'vbios-rim-fetched',
    'vbios-rim-signature-verified',
    'vbios-rim-version-match',
    'vbios-rim-measurements-available',
    'vbios-index-no-conflict',
  ].map((flag): TokenFailure => ['NRAS_DEVICE_CHECK', flag, device(false, `x-nvidia-gpu-${flag}`)]),
  ['NRAS_CERTIFICATES', 'an expired chain', device('expired', chain, 'x-nvidia-cert-status')],
  ['NRAS_CERTIFICATES', 'a held certificate', device('revoked', chain, 'x-nvidia-cert-ocsp-status')],
  ['NRAS_MEASUREMENTS', 'fail', device('fail', 'measres')],
  ['NRAS_SECURE_BOOT', 'off', device(false, 'secboot')],
  ['NRAS_DEBUG', 'enabled', device('enabled', 'dbgstat')],
  ['NRAS_WARNING', 'one', device('something is odd', 'x-nvidia-attestation-warning')],
  ['NRAS_MODEL_NOT_ALLOWED', 'not listed', nras({}, { models: ['GB100'] })],
  ['NRAS_DRIVER_NOT_ALLOWED', 'not listed', nras({}, { drivers: ['580.159.03'] })],
  ['NRAS_FIRMWARE_NOT_ALLOWED', 'not listed', nras({}, { firmware: ['96.00.D9.00.01'] })],
  ['NRAS_DEVICE_COUNT', 'one of two', nras({}, { deviceCount: 2 })],
  ['NRAS_DEVICE_COUNT', 'two of one', nras(two)],
  ['NRAS_DEVICE_TWICE', 'one GPU twice', nras({ ...two, device: put('1', 'ueid') }, { deviceCount: 2 })],
  ['NRAS_DEVICE_NOT_ALLOWED', 'not listed', nras({}, { devices: { allow: ['1'] } })],
  ['NRAS_DEVICE_DENIED', 'listed', nras({}, { devices: { deny: ['478176379000'] } })],
];
