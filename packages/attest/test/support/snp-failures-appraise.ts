import { toHex } from '@fastness/codec';
import type { ForgedTcb } from '@fastness/testkit';
import type { Failure } from './failure.ts';
import { reportData } from './forge.ts';

const other = (bytes: number) => toHex(new Uint8Array(bytes).fill(0xee));
const chip = new Uint8Array(64).fill(5);
/** At the floor, and a step below it in what AMD-SB-3019 names. */
const atFloor: ForgedTcb = { bootloader: 4, tee: 0, snp: 24, microcode: 222 };
const newer: ForgedTcb = { ...atFloor, microcode: 223 };
const genoaFloor: ForgedTcb = { bootloader: 10, tee: 0, snp: 23, microcode: 84 };
const below: ForgedTcb = { ...atFloor, snp: 23 };

/** What `appraise` must refuse in evidence that is genuine. */
export const appraisalFailures: readonly Failure[] = [
  ['SNP_REPORT_DATA_MISMATCH', 'another session', { expectedReportData: reportData.map((byte) => byte ^ 1) }],
  ['SNP_REPORT_DATA_MISMATCH', 'no report data', { report: { reportData: new Uint8Array(64) } }],
  ['SNP_MEASUREMENT_NOT_ALLOWED', 'another image', { report: { measurement: new Uint8Array(48).fill(1) } }],
  ['SNP_MEASUREMENT_NOT_ALLOWED', 'no measurement', { report: { measurement: new Uint8Array(48) } }],
  ['SNP_POLICY_RESERVED_ONE', 'bit 17 clear', { report: { policy: 0x1_0000n } }],
  ['SNP_POLICY_RESERVED_BITS', 'bit 26', { report: { policy: 0x3_0000n | (1n << 26n) } }],
  ['SNP_POLICY_RESERVED_BITS', 'bit 63', { report: { policy: 0x3_0000n | (1n << 63n) } }],
  ['SNP_DEBUG_ALLOWED', 'bit 19', { report: { policy: 0x3_0000n | (1n << 19n) } }],
  ['SNP_MIGRATION_ALLOWED', 'bit 18', { report: { policy: 0x3_0000n | (1n << 18n) } }],
  ['SNP_SMT_ALLOWED', 'bit 16', { snp: { smt: 'refuse' }, report: { policy: 0x3_0000n, platformInfo: 0x24n } }],
  ['SNP_SMT_ENABLED', 'on', { snp: { smt: 'refuse' }, report: { policy: 0x2_0000n, platformInfo: 0x25n } }],
  [
    'SNP_GUEST_POLICY_WEAK',
    'no ciphertext hiding',
    {
      snp: { requireProtections: ['single-socket', 'ciphertext-hiding'] },
      report: { policy: 0x3_0000n | (1n << 20n) },
    },
  ],
  ['SNP_VMPL_NOT_ALLOWED', 'VMPL 1', { report: { vmpl: 1 } }],
  ['SNP_VMPL_NOT_ALLOWED', 'VMPL 2^32 - 1, for no guest', { report: { vmpl: 0xffff_ffff } }],
  ['SNP_HOST_DATA_NOT_ALLOWED', 'other host data', { snp: { hostData: [other(32)] } }],
  ['SNP_ID_KEY_NOT_ALLOWED', 'another id key', { snp: { idKeyDigests: [other(48)] } }],
  [
    'SNP_AUTHOR_KEY_NOT_ALLOWED',
    'another author key',
    { snp: { authorKeyDigests: [other(48)] }, report: { flags: 1 } },
  ],
  [
    'SNP_AUTHOR_KEY_NOT_ALLOWED',
    'a digest without an author key',
    {
      snp: { authorKeyDigests: [other(48)] },
      report: { authorKeyDigest: new Uint8Array(48).fill(0xee), flags: 0 },
    },
  ],

  ['SNP_PRODUCT_NOT_ALLOWED', 'Milan', { snp: { products: ['Genoa', 'Turin'] } }],
  ['SNP_PRODUCT_DENIED', 'Milan', { snp: { products: ['Milan', 'Genoa'], denyProducts: ['Milan'] } }],
  ['SNP_SIGNING_KEY_NOT_ALLOWED', 'a VLEK', { kind: 'vlek', snp: { signingKeys: ['vcek'] } }],
  ['SNP_SIGNING_KEY_NOT_ALLOWED', 'a VCEK', { snp: { signingKeys: ['vlek'] } }],
  [
    'SNP_TCB_REPORTED_LOW',
    'below the built-in floor',
    {
      chain: { tcb: below },
      report: { currentTcb: atFloor, committedTcb: atFloor, launchTcb: atFloor },
    },
  ],
  [
    'SNP_TCB_REPORTED_LOW',
    'below the built-in floor of Genoa',
    {
      product: 'Genoa',
      chain: { tcb: { ...genoaFloor, snp: 22 } },
      report: { currentTcb: genoaFloor, committedTcb: genoaFloor, launchTcb: genoaFloor },
    },
  ],
  [
    'SNP_TCB_REPORTED_LOW',
    'below the floor of the policy',
    {
      snp: { minimumTcb: { Milan: { microcode: 223 } } },
      report: { currentTcb: newer, committedTcb: newer, launchTcb: newer },
    },
  ],
  [
    'SNP_TCB_REPORTED_LOW',
    'a floor on a component that the product lacks',
    { snp: { minimumTcb: { Milan: { fmc: 0 } } } },
  ],
  ['SNP_TCB_COMMITTED_LOW', 'firmware that can be rolled back', { report: { committedTcb: below } }],
  ['SNP_TCB_CURRENT_LOW', 'old firmware', { report: { currentTcb: below } }],
  ['SNP_TCB_LAUNCH_LOW', 'launched under old firmware', { report: { launchTcb: below } }],
  [
    'SNP_MITIGATION_MISSING',
    'not at launch',
    { snp: { requiredMitigations: '0000000000000003' }, report: { launchMitigations: 1n, currentMitigations: 3n } },
  ],
  [
    'SNP_MITIGATION_MISSING',
    'not now',
    { snp: { requiredMitigations: '0000000000000003' }, report: { launchMitigations: 3n, currentMitigations: 2n } },
  ],
  [
    'SNP_MITIGATION_MISSING',
    'a report that does not say',
    {
      snp: { requiredMitigations: '0000000000000001' },
      report: { version: 4, launchMitigations: 1n, currentMitigations: 1n },
    },
  ],
  ['SNP_ALIAS_CHECK_MISSING', 'bit 5 clear', { snp: { requireAliasCheck: true }, report: { platformInfo: 0x5n } }],
  ['SNP_CHIP_UNKNOWN', 'an allow-list and a VLEK', { kind: 'vlek', snp: { chipIds: { allow: [toHex(chip)] } } }],
  ['SNP_CHIP_UNKNOWN', 'a deny-list and a VLEK', { kind: 'vlek', snp: { chipIds: { deny: [toHex(chip)] } } }],
  ['SNP_CHIP_NOT_ALLOWED', 'another chip', { chain: { hwid: chip }, snp: { chipIds: { allow: [other(64)] } } }],
  ['SNP_CHIP_DENIED', 'this chip', { chain: { hwid: chip }, snp: { chipIds: { deny: [other(64), toHex(chip)] } } }],
  [
    'SNP_CHIP_DENIED',
    'this chip, though it is allowed',
    { chain: { hwid: chip }, snp: { chipIds: { allow: [toHex(chip)], deny: [toHex(chip)] } } },
  ],
  ['SNP_CSP_NOT_ALLOWED', 'another provider', { kind: 'vlek', snp: { cspIds: ['CN=somebody-else.example'] } }],
];
