import { utf8Encode } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import { forgeRuntimeData, hclReportData, keyUsage, sharedKeys } from '@fastness/testkit';
import { encodeVtpmEndorsements } from '../../src/formats/azure-vtpm/index.ts';
import { encodeDcapCollateral } from '../../src/formats/tdx/index.ts';
import { encodeSnpEndorsements } from '../../src/formats/snp/index.ts';
import { vmId, type AzureVtpmScenario } from './azure-vtpm-forge.ts';
import { flip, p256Keys, rsaKeys } from './tpm-forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type AzureVtpmFailure = readonly [code: ErrorCode, what: string, scenario: AzureVtpmScenario];

const stranger = await sharedKeys('a stranger', 'rsa-2048');
const record = (value: unknown): Record<string, unknown> => ({ ...(value as Record<string, unknown>) });
const inVm = (change: (vm: Record<string, unknown>) => void): AzureVtpmScenario => ({
  runtime: (runtime) => {
    const vm = record(runtime['vm-configuration']);
    change(vm);
    return { ...runtime, 'vm-configuration': vm };
  },
});
const inKey = (change: (key: Record<string, unknown>) => void): AzureVtpmScenario => ({
  runtime: (runtime) => {
    const [first, ...others] = runtime['keys'] as unknown[];
    const key = record(first);
    change(key);
    return { ...runtime, keys: [key, ...others] };
  },
});
/** Without a member that may be absent. */
function without<T extends object>(value: T, name: keyof T): T {
  const copy = { ...value };
  delete copy[name];
  return copy;
}
const text = (content: string): AzureVtpmScenario => ({ runtimeData: utf8Encode(content) });
const genuine = await forgeRuntimeData(rsaKeys);
/** The report with another id of the VM. */
const otherVm = (report: Uint8Array): Uint8Array => {
  const id = utf8Encode('AABBCCDDEEFF');
  const start = report.findIndex((_, index) => id.every((byte, offset) => report[index + offset] === byte));
  return report.map((byte, index) => (index === start ? 0x42 : byte));
};
const emptyCollateral = encodeDcapCollateral({
  tcbInfo: '{}',
  tcbInfoIssuerChain: '',
  qeIdentity: '{}',
  qeIdentityIssuerChain: '',
});

/** What is wrong with the evidence itself. */
export const azureReadFailures: readonly AzureVtpmFailure[] = [
  ['AZURE_VTPM_HCL_SIZE', 'a short report', { editHcl: (report) => report.subarray(0, 1200) }],
  ['AZURE_VTPM_HCL_SIZE', 'a huge report', { editHcl: () => new Uint8Array(8193) }],
  ['AZURE_VTPM_HCL_SIZE', 'a report of another size', { hcl: { reportSize: 2400 } }],
  ['AZURE_VTPM_HCL_SIZE', 'runtime data of another size', { hcl: { dataSize: 400 } }],
  ['AZURE_VTPM_HCL_SIZE', 'claims beyond the end', { editHcl: (report) => report.subarray(0, 1700) }],
  ['AZURE_VTPM_HCL_SIGNATURE', 'other letters', { editHcl: (report) => flip(report, 1) }],
  ['AZURE_VTPM_HCL_VERSION', 'a report of version 3', { hcl: { version: 3 } }],
  ['AZURE_VTPM_HCL_VERSION', 'runtime data of version 2', { hcl: { runtimeVersion: 2 } }],
  ['AZURE_VTPM_HASH', 'SHA-384', { hcl: { hash: 2 } }],
  ['AZURE_VTPM_HCL_PADDING', 'a byte at the end', { editHcl: (report) => flip(report, report.length - 1) }],
  ['AZURE_VTPM_RUNTIME_DATA', 'no JSON', text('{')],
  ['AZURE_VTPM_RUNTIME_DATA', 'a list', text('[]')],
  ['AZURE_VTPM_RUNTIME_DATA', 'no key', { runtime: (runtime) => ({ ...runtime, keys: [] }) }],
  [
    'AZURE_VTPM_RUNTIME_DATA',
    'two keys of the name',
    { runtime: (runtime) => ({ ...runtime, keys: Array(2).fill((runtime['keys'] as unknown[])[0]) }) },
  ],
  ['AZURE_VTPM_RUNTIME_DATA', 'a key for encryption', inKey((key) => (key['key_ops'] = ['encrypt']))],
  ['AZURE_VTPM_RUNTIME_DATA', 'a key of another type', inKey((key) => (key['kty'] = 'EC'))],
  ['AZURE_VTPM_RUNTIME_DATA', 'a key in another encoding', inKey((key) => (key['n'] = '+/=='))],
  ['AZURE_VTPM_RUNTIME_DATA', 'no configuration', { runtime: ({ keys }) => ({ keys }) }],
  ['AZURE_VTPM_RUNTIME_DATA', 'no Secure Boot state', inVm((vm) => delete vm['secure-boot'])],
  ['AZURE_VTPM_RUNTIME_DATA', 'a state that is text', inVm((vm) => (vm['secure-boot'] = 'true'))],
  ['AZURE_VTPM_RUNTIME_DATA', 'no id', inVm((vm) => delete vm['vmUniqueId'])],
  ['AZURE_VTPM_HARDWARE_UNKNOWN', 'no confidential hardware', { hcl: { reportType: 1 } }],
  [
    'AZURE_VTPM_TD_QUOTE',
    'TDX without a quote',
    {
      hardware: 'tdx',
      sent: (evidence) => without(evidence, 'tdQuote'),
    },
  ],
  [
    'AZURE_VTPM_TD_QUOTE',
    'SEV-SNP with a quote',
    { sent: (evidence) => ({ ...evidence, tdQuote: new Uint8Array(9) }) },
  ],
  [
    'AZURE_VTPM_TD_REPORT_MISMATCH',
    'the TDREPORT of another TD',
    { hardware: 'tdx', editHcl: (report) => flip(report, 32 + 512 + 20) },
  ],
  [
    'AZURE_VTPM_TD_REPORT_MISMATCH',
    'a TDREPORT with other report data',
    { hardware: 'tdx', editHcl: (report) => flip(report, 32 + 128) },
  ],
  [
    'AZURE_VTPM_TD_REPORT_MISMATCH',
    'a report of another type',
    { hardware: 'tdx', editHcl: (report) => flip(report, 32) },
  ],
  [
    'AZURE_VTPM_TD_REPORT_MISMATCH',
    'bytes after the TDREPORT',
    { hardware: 'tdx', editHcl: (report) => flip(report, 32 + 1100) },
  ],
  [
    'ATTEST_ENDORSEMENT_UNSUPPORTED',
    "Intel's collateral for SEV-SNP",
    { endorsed: (all) => [...all, emptyCollateral] },
  ],
  [
    'ATTEST_ENDORSEMENT_UNSUPPORTED',
    "AMD's certificates for TDX",
    { hardware: 'tdx', endorsed: (all) => [...all, encodeSnpEndorsements({})] },
  ],
];

/** What is wrong with the chain from the processor to the quote. */
export const azureAuthenticityFailures: readonly AzureVtpmFailure[] = [
  ['SNP_REPORT_SIGNATURE', 'a changed SNP report', { editHcl: (report) => flip(report, 32 + 0x90) }],
  ['SNP_ARK_NOT_PINNED', 'no root of AMD', { anchors: (all) => without(all, 'snp') }],
  ['DCAP_ROOT_NOT_PINNED', 'no root of Intel', { hardware: 'tdx', anchors: (all) => without(all, 'intel') }],
  ['DCAP_COLLATERAL_MISSING', 'no collateral', { hardware: 'tdx', endorsed: () => [] }],
  ['AZURE_VTPM_RUNTIME_DATA_MISMATCH', 'other runtime data', { reportData: new Uint8Array(64).fill(1) }],
  ['AZURE_VTPM_RUNTIME_DATA_MISMATCH', 'runtime data that was changed', { editHcl: otherVm }],
  [
    'AZURE_VTPM_RUNTIME_DATA_MISMATCH',
    'something after the hash',
    { runtimeData: genuine, reportData: flip(await hclReportData(genuine), 63) },
  ],
  [
    'AZURE_VTPM_RUNTIME_DATA_MISMATCH',
    'other runtime data with TDX',
    { hardware: 'tdx', reportData: new Uint8Array(64) },
  ],
  ['TPM_SIGNATURE', 'another key than that of the runtime data', { signer: stranger }],
  ['TPM_KEY', 'an elliptic key', { signer: p256Keys }],
  ['AZURE_VTPM_AK_MISSING', 'no certificate', { section: { akCertificate: 'required' } }],
  [
    'AZURE_VTPM_AK_MISMATCH',
    'the certificate of another key',
    { certified: true, akChain: { attestationKeys: stranger }, section: { akCertificate: 'required' } },
  ],
  [
    'TPM_AK_PURPOSE',
    'a certificate without a purpose',
    {
      certified: true,
      akChain: { levels: { leaf: { extensions: [keyUsage('digitalSignature')] } } },
      section: { akCertificate: 'required' },
    },
  ],
  [
    'TPM_AK_ROOT_NOT_PINNED',
    'no root of Azure',
    { certified: true, section: { akCertificate: 'required' }, anchors: (all) => without(all, 'azureVtpm') },
  ],
  [
    'TPM_AK_CRL_MISSING',
    'no revocation list',
    {
      certified: true,
      section: { akCertificate: 'required' },
      sent: (evidence, { akChain: { certificates } }) => ({
        ...evidence,
        certificates: [certificates.leaf, certificates.intermediate, certificates.root],
      }),
      endorsed: ([hardware]) => [hardware ?? encodeSnpEndorsements({}), encodeVtpmEndorsements({})],
    },
  ],
];

/** What a policy does not accept. */
export const azureAppraisalFailures: readonly AzureVtpmFailure[] = [
  ['TPM_NONCE_MISMATCH', 'for another session', { expectedReportData: new Uint8Array(32) }],
  ['ATTEST_TEE_NOT_ALLOWED', 'no section for the hardware', { hardwareSection: null }],
  ['ATTEST_TEE_NOT_ALLOWED', 'no section for TDX', { hardware: 'tdx', hardwareSection: null }],
  ['SNP_MEASUREMENT_NOT_ALLOWED', 'another paravisor', { hardwareSection: { measurements: ['00'.repeat(48)] } }],
  ['SNP_DEBUG_ALLOWED', 'a guest that may be debugged', { debug: true }],
  [
    'TDX_MEASUREMENT_NOT_ALLOWED',
    'another firmware',
    { hardware: 'tdx', hardwareSection: { measurements: ['00'.repeat(48)] } },
  ],
  ['ATTEST_POLICY_INCOMPLETE', 'hardware to be filled in', { hardwareSection: { measurements: 'from-release' } }],
  ['ATTEST_POLICY_INCOMPLETE', 'registers to be filled in', { section: { measurements: 'from-release' } }],
  ['AZURE_VTPM_SECURE_BOOT_OFF', 'Secure Boot off', inVm((vm) => (vm['secure-boot'] = false))],
  [
    'AZURE_VTPM_VM_NOT_ALLOWED',
    'another VM',
    { section: { vms: { allow: ['11112233-4455-6677-8899-aabbccddeeff'] } } },
  ],
  ['AZURE_VTPM_VM_DENIED', 'this VM', { section: { vms: { deny: [vmId] } } }],
  ['TPM_MEASUREMENT_NOT_ALLOWED', 'another image', { section: { measurements: ['00'.repeat(32)] } }],
  ['TPM_CLOCK_UNSAFE', 'after a power cut', { quote: { safe: 0 } }],
];
