import { der } from '@fastness/codec/der';
import {
  amdLeafExtensions,
  forgedProducts,
  amdName,
  basicConstraints,
  forgeAmdChain,
  keyUsage,
  type ForgeAmdChainOptions,
  type ForgedExtension,
} from '@fastness/testkit';
import {
  askKeys,
  INTERMEDIATE,
  LEAF,
  omit,
  p256Keys,
  p384Keys,
  ROOT,
  rootKeys,
  strangerKeys,
  type Failure,
} from './failure.ts';
import { now } from './forge.ts';

const { tcb } = forgedProducts.Milan;
const hwid = new Uint8Array(64).fill(6);
const unknownCritical: ForgedExtension = { oid: '1.2.3.4', critical: true, value: der.null() };
const caExtensions = [keyUsage('keyCertSign', 'cRLSign'), basicConstraints({ ca: true })];
const arkAs = (name: string): Partial<ForgeAmdChainOptions> => ({
  keys: { ark: rootKeys },
  ark: { subject: amdName(name) },
  intermediate: { issuer: { name: amdName(name), keys: rootKeys } },
  crl: { issuer: { name: amdName(name), keys: rootKeys } },
});

/** Reports that say the wrong thing about themselves, and certificates that do not belong where they are. */
export const certificateFailures: readonly Failure[] = [
  ['SNP_REPORT_SIZE', 'a byte too many', { report: { tamper: (report) => Uint8Array.of(...report, 0) } }],
  ['SNP_REPORT_SIZE', 'a byte too few', { report: { tamper: (report) => report.subarray(0, -1) } }],
  ['SNP_REPORT_VERSION', 'version 1', { report: { version: 1 } }],
  ['SNP_REPORT_VERSION', 'version 6', { report: { version: 6 } }],
  ['SNP_REPORT_PADDING', 'a byte after the signature', { report: { tamper: (report) => void report.fill(1, -1) } }],
  [
    'SNP_REPORT_PADDING',
    'a byte above r',
    { report: { tamper: (report) => void report.fill(1, 0x2a0 + 48, 0x2a0 + 49) } },
  ],
  [
    'SNP_REPORT_PADDING',
    'a byte above s',
    { report: { tamper: (report) => void report.fill(1, 0x2e8 + 71, 0x2e8 + 72) } },
  ],

  ['SNP_SIGNATURE_ALGORITHM', 'another algorithm', { report: { signatureAlgorithm: 2 } }],
  ['SNP_CHIP_KEY_MASKED', 'MASK_CHIP_KEY', { report: { flags: 0b10 } }],
  ['SNP_SIGNING_KEY_UNSUPPORTED', 'no key', { report: { flags: 7 << 2 } }],
  ['SNP_SIGNING_KEY_UNSUPPORTED', 'a reserved key', { report: { flags: 2 << 2 } }],

  ['SNP_LEAF_MISSING', 'no leaf', { certificates: omit(LEAF) }],
  ['SNP_LEAF_KIND_MISMATCH', 'a VCEK for a report that names a VLEK', { report: { flags: 1 << 2 } }],
  ['SNP_LEAF_KIND_MISMATCH', 'a VLEK for a report that names a VCEK', { kind: 'vlek', report: { flags: 0 } }],
  ['SNP_INTERMEDIATE_MISSING', 'no ASK', { certificates: omit(INTERMEDIATE) }],
  [
    'SNP_INTERMEDIATE_KIND_MISMATCH',
    'a VCEK under the ASVK',
    {
      kind: 'vlek',
      snp: { signingKeys: ['vcek'] },
      report: { flags: 0, chipId: hwid },
      chain: {
        hwid,
        leaf: { subject: amdName('SEV-VCEK') },
        leafExtensions: () => amdLeafExtensions({ product: 'Milan', kind: 'vcek', tcb, hwid, cspId: '' }),
      },
    },
  ],
  [
    'SNP_INTERMEDIATE_KIND_MISMATCH',
    'an ASK of another product',
    {
      chain: {
        keys: { intermediate: askKeys },
        intermediate: { subject: amdName('SEV-Genoa') },
        leaf: { issuer: { name: amdName('SEV-Genoa'), keys: askKeys } },
      },
    },
  ],
  ['SNP_ARK_MISSING', 'no ARK', { certificates: omit(ROOT) }],
  [
    'SNP_ARK_NOT_PINNED',
    'the right name on another key',
    { chain: { keys: { ark: strangerKeys } }, anchors: () => ({ snp: [] }) },
  ],
  [
    'SNP_ARK_NAME',
    'the pinned key of one product under the name of another',
    {
      chain: arkAs('ARK-Genoa'),
    },
  ],
  [
    'SNP_CERTIFICATES_AMBIGUOUS',
    'two leaves',
    {
      certificates: async (chain) => [
        ...chain.certificates,
        ...(await forgeAmdChain({ product: 'Milan', kind: 'vcek', now })).certificates,
      ],
    },
  ],
  [
    'SNP_CERTIFICATE_ALGORITHM',
    'a leaf signed with PKCS #1 v1.5',
    { chain: { leaf: { signatureAlgorithm: { kind: 'rsa-pkcs1', hash: 'SHA-384' } } } },
  ],
  [
    'SNP_CERTIFICATE_ALGORITHM',
    'an ASK signed with SHA-256',
    {
      chain: { intermediate: { signatureAlgorithm: { kind: 'rsa-pss', hash: 'SHA-256', saltLength: 32 } } },
    },
  ],
  [
    'SNP_CERTIFICATE_ALGORITHM',
    'an ARK signed with SHA-512',
    { chain: { ark: { signatureAlgorithm: { kind: 'rsa-pss', hash: 'SHA-512', saltLength: 64 } } } },
  ],
  [
    'SNP_CERTIFICATE_EXTENSION',
    'on the leaf',
    { chain: { leafExtensions: (extensions) => [...extensions, unknownCritical] } },
  ],
  [
    'SNP_CERTIFICATE_EXTENSION',
    'on the ASK',
    {
      chain: {
        intermediate: { extensions: [basicConstraints({ ca: true }), keyUsage('keyCertSign'), unknownCritical] },
      },
    },
  ],
  ['SNP_CERTIFICATE_EXTENSION', 'on the ARK', { chain: { ark: { extensions: [...caExtensions, unknownCritical] } } }],
  ['SNP_ARK_CONSTRAINTS', 'no authority', { chain: { ark: { extensions: [keyUsage('keyCertSign', 'cRLSign')] } } }],
  [
    'SNP_ARK_CONSTRAINTS',
    'not for certificates',
    { chain: { ark: { extensions: [keyUsage('cRLSign'), basicConstraints({ ca: true })] } } },
  ],
  [
    'SNP_ARK_CONSTRAINTS',
    'not for lists',
    { chain: { ark: { extensions: [keyUsage('keyCertSign'), basicConstraints({ ca: true })] } } },
  ],
  ['SNP_ARK_CONSTRAINTS', 'no key usage', { chain: { ark: { extensions: [basicConstraints({ ca: true })] } } }],
  [
    'SNP_INTERMEDIATE_CONSTRAINTS',
    'no authority',
    { chain: { intermediate: { extensions: [keyUsage('keyCertSign')] } } },
  ],
  [
    'SNP_INTERMEDIATE_CONSTRAINTS',
    'for lists only',
    {
      chain: { intermediate: { extensions: [keyUsage('cRLSign'), basicConstraints({ ca: true })] } },
    },
  ],
  [
    'SNP_LEAF_CONSTRAINTS',
    'an authority',
    { chain: { leafExtensions: (extensions) => [...extensions, basicConstraints({ ca: true })] } },
  ],
  [
    'SNP_LEAF_CONSTRAINTS',
    'a key for certificates',
    { chain: { leafExtensions: (extensions) => [...extensions, keyUsage('keyCertSign')] } },
  ],
  ['SNP_LEAF_KEY', 'a P-256 key', { chain: { keys: { leaf: p256Keys } }, report: { signWith: p384Keys } }],
  ['SNP_LEAF_KEY', 'an RSA key', { chain: { keys: { leaf: strangerKeys } }, report: { signWith: p384Keys } }],
];
