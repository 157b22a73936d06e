import { der } from '@fastness/codec/der';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  amdArc,
  amdName,
  basicConstraints,
  forgeAmdChain,
  generateKeys,
  keyUsage,
  sharedKeys,
  type ForgedAmdChain,
  type ForgedExtension,
} from '@fastness/testkit';
import { after, now, type Scenario } from './forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type Failure = readonly [code: ErrorCode, what: string, scenario: Scenario];

const unknownCritical: ForgedExtension = { oid: '1.2.3.4', critical: true, value: der.null() };
const without = (oid: string) => (extensions: ForgedExtension[]) =>
  extensions.filter((extension) => extension.oid !== oid);
const replaced = (oid: string, value: Uint8Array) => (extensions: ForgedExtension[]) =>
  extensions.map((extension) => (extension.oid === oid ? { oid, value } : extension));
const flipLast = (bytes: Uint8Array): Uint8Array => {
  const flipped = bytes.slice();
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  return flipped;
};
const milanRoot = () => sharedKeys('ARK-Milan', 'rsa-2048');
const milanAsk = () => sharedKeys('SEV-Milan', 'rsa-2048');
const otherRsa = () => sharedKeys('another', 'rsa-2048');
/** Certificates by their place, for scenarios that leave one out. */
const [LEAF, INTERMEDIATE, ROOT] = [0, 1, 2];
const omit = (place: number | undefined) => (chain: ForgedAmdChain) =>
  chain.certificates.filter((_, index) => index !== place);
const period = (from: number, to: number) => ({ notBefore: after(from), notAfter: after(to) });
const caExtensions = [keyUsage('keyCertSign', 'cRLSign'), basicConstraints({ ca: true })];

/** What `parse` and `authenticate` must refuse. Built on demand, as some of it needs keys. */
export async function authenticationFailures(): Promise<Failure[]> {
  const [root, ask, stranger, p256, p384] = await Promise.all([
    milanRoot(),
    milanAsk(),
    otherRsa(),
    generateKeys('p-256'),
    generateKeys('p-384'),
  ]);
  const genoa = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now });
  const arkAs = (name: string): Scenario['chain'] => ({
    ark: { subject: amdName(name) },
    intermediate: { issuer: { name: amdName(name), keys: root } },
    crl: { issuer: { name: amdName(name), keys: root } },
  });
  return [
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
      { kind: 'vlek', report: { flags: 0 }, chain: { leaf: { subject: amdName('SEV-VCEK') } } },
    ],
    [
      'SNP_INTERMEDIATE_KIND_MISMATCH',
      'an ASK of another product',
      {
        chain: {
          intermediate: { subject: amdName('SEV-Genoa') },
          leaf: { issuer: { name: amdName('SEV-Genoa'), keys: ask } },
        },
      },
    ],
    ['SNP_ARK_MISSING', 'no ARK', { certificates: omit(ROOT) }],
    [
      'SNP_ARK_NOT_PINNED',
      'the right name on another key',
      { chain: { keys: { ark: stranger } }, anchors: () => ({ snp: [] }) },
    ],
    [
      'SNP_ARK_NAME',
      'the pinned key of one product under the name of another',
      {
        chain: arkAs('ARK-Genoa') ?? {},
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
    ['SNP_LEAF_KEY', 'a P-256 key', { chain: { keys: { leaf: p256 } }, report: { signWith: p384 } }],
    ['SNP_LEAF_KEY', 'an RSA key', { chain: { keys: { leaf: stranger } }, report: { signWith: p384 } }],

    ['SNP_ARK_SIGNATURE', 'a signature that was changed', { chain: { ark: { tamper: { signature: flipLast } } } }],
    [
      'SNP_ARK_SIGNATURE',
      'a serial number that was changed',
      {
        chain: {
          ark: {
            serial: 7,
            tamper: { afterSigning: (tbs) => tbs.map((byte, index) => (index === 11 ? byte ^ 1 : byte)) },
          },
        },
      },
    ],
    [
      'SNP_INTERMEDIATE_SIGNATURE',
      'another key under the name of the ARK',
      { chain: { intermediate: { issuer: { name: amdName('ARK-Milan'), keys: stranger } } } },
    ],
    [
      'SNP_LEAF_SIGNATURE',
      'another key under the name of the ASK',
      { chain: { leaf: { issuer: { name: amdName('SEV-Milan'), keys: stranger } } } },
    ],
    ['SNP_REPORT_SIGNATURE', 'another P-384 key', { report: { signWith: p384 } }],
    ['SNP_REPORT_SIGNATURE', 'a signature of zeros', { report: { tamper: (report) => void report.fill(0, 0x2a0) } }],

    ['SNP_ARK_VALIDITY', 'not yet', { chain: { ark: { validity: period(1, 100) } } }],
    ['SNP_ARK_VALIDITY', 'no longer', { chain: { ark: { validity: period(-100, -1) } } }],
    ['SNP_INTERMEDIATE_VALIDITY', 'not yet', { chain: { intermediate: { validity: period(1, 100) } } }],
    ['SNP_INTERMEDIATE_VALIDITY', 'no longer', { chain: { intermediate: { validity: period(-100, -1) } } }],
    ['SNP_LEAF_VALIDITY', 'not yet', { chain: { leaf: { validity: period(1, 100) } } }],
    ['SNP_LEAF_VALIDITY', 'no longer', { chain: { leaf: { validity: period(-100, -1) } } }],

    ['SNP_CRL_MISSING', 'no list', { crls: () => [] }],
    ['SNP_CRL_ISSUER', 'the list of another product', { crls: () => [genoa.crl] }],
    [
      'SNP_CRL_SIGNATURE',
      'another key under the name of the ARK',
      { chain: { crl: { issuer: { name: amdName('ARK-Milan'), keys: stranger } } } },
    ],
    [
      'SNP_CRL_SIGNATURE',
      'a second list that is forged',
      {
        crls: async (chain) => [
          chain.crl,
          await chain.issueCrl({ issuer: { name: amdName('ARK-Milan'), keys: stranger } }),
        ],
      },
    ],
    ['SNP_CRL_NOT_YET_VALID', 'from tomorrow', { chain: { crl: { thisUpdate: after(1) } } }],
    ['SNP_CRL_EXPIRED', 'until yesterday', { chain: { crl: { nextUpdate: after(-1), thisUpdate: after(-2) } } }],
    ['SNP_CRL_EXPIRED', 'no end', { chain: { crl: { nextUpdate: null } } }],
    ['SNP_CERTIFICATE_REVOKED', 'the ASK', { chain: { crl: { revoked: [{ serial: 0x1_0001, date: after(-2) }] } } }],
    [
      'SNP_CERTIFICATE_REVOKED',
      'the ASVK',
      { kind: 'vlek', chain: { crl: { revoked: [{ serial: 0x1_0101, date: after(-2) }] } } },
    ],
    ['SNP_CERTIFICATE_REVOKED', 'the ARK', { chain: { crl: { revoked: [{ serial: 0x1_0000, date: after(-2) }] } } }],
    [
      'SNP_CERTIFICATE_REVOKED',
      'the VCEK, whose serial is 0',
      { chain: { crl: { revoked: [{ serial: 0, date: after(-2) }] } } },
    ],
    [
      'SNP_CERTIFICATE_REVOKED',
      'on hold, from tomorrow',
      { chain: { crl: { revoked: [{ serial: 0x1_0001, date: after(1), reason: 6 }] } } },
    ],
    [
      'SNP_CERTIFICATE_REVOKED',
      'in an older list beside a clean one',
      {
        crls: async (chain) => [
          chain.crl,
          await chain.issueCrl({
            thisUpdate: after(-9),
            nextUpdate: after(-8),
            revoked: [{ serial: 0x1_0001, date: after(-9) }],
          }),
        ],
      },
    ],

    ['SNP_LEAF_EXTENSIONS', 'no product name', { chain: { leafExtensions: without(`${amdArc}.2`) } }],
    ['SNP_LEAF_EXTENSIONS', 'no microcode version', { chain: { leafExtensions: without(`${amdArc}.3.8`) } }],
    [
      'SNP_LEAF_EXTENSIONS',
      'a version that is no integer',
      { chain: { leafExtensions: replaced(`${amdArc}.3.8`, der.octetString(Uint8Array.of(222))) } },
    ],
    [
      'SNP_LEAF_EXTENSIONS',
      'a version over 255',
      { chain: { leafExtensions: replaced(`${amdArc}.3.8`, der.integer(478)) } },
    ],
    [
      'SNP_LEAF_EXTENSIONS',
      'a negative version',
      { chain: { leafExtensions: replaced(`${amdArc}.3.8`, Uint8Array.of(2, 1, 222)) } },
    ],
    [
      'SNP_LEAF_EXTENSIONS',
      'a version with bytes after it',
      { chain: { leafExtensions: replaced(`${amdArc}.3.1`, Uint8Array.of(2, 1, 4, 0)) } },
    ],
    ['SNP_LEAF_EXTENSIONS', 'no chip id', { chain: { leafExtensions: without(`${amdArc}.4`) } }],
    [
      'SNP_LEAF_EXTENSIONS',
      'a chip id of 8 bytes on Milan',
      { chain: { leafExtensions: replaced(`${amdArc}.4`, new Uint8Array(8)) } },
    ],
    [
      'SNP_LEAF_EXTENSIONS',
      'a product name that is no text',
      { chain: { leafExtensions: replaced(`${amdArc}.2`, der.octetString(Uint8Array.of(1))) } },
    ],
    [
      'SNP_PRODUCT_NAME_MISMATCH',
      'another product',
      { chain: { leafExtensions: replaced(`${amdArc}.2`, der.ia5String('Genoa-B1')) } },
    ],
    [
      'SNP_PRODUCT_NAME_MISMATCH',
      'a longer name',
      { chain: { leafExtensions: replaced(`${amdArc}.2`, der.ia5String('MilanX')) } },
    ],
    [
      'SNP_CPUID_MISMATCH',
      'a model of Genoa under the root of Milan',
      { report: { cpuid: { family: 0x19, model: 0x11, stepping: 1 } } },
    ],
    [
      'SNP_CPUID_MISMATCH',
      'the family of Turin under the root of Milan',
      { report: { cpuid: { family: 0x1a, model: 0x01, stepping: 1 } } },
    ],
    [
      'SNP_CPUID_MISMATCH',
      'a model of Milan under the root of Genoa',
      { product: 'Genoa', report: { cpuid: { family: 0x19, model: 0x01, stepping: 1 } } },
    ],
    [
      'SNP_TCB_CERTIFICATE_MISMATCH',
      'microcode newer than certified',
      { report: { reportedTcb: { bootloader: 4, tee: 0, snp: 27, microcode: 223 } } },
    ],
    [
      'SNP_TCB_CERTIFICATE_MISMATCH',
      'a reserved byte',
      { report: { reportedTcb: Uint8Array.of(4, 0, 1, 0, 0, 0, 27, 222) } },
    ],
    [
      'SNP_TCB_CERTIFICATE_MISMATCH',
      'the layout of Milan on Turin',
      {
        product: 'Turin',
        report: { reportedTcb: Uint8Array.of(1, 1, 0, 0, 0, 0, 4, 81) },
      },
    ],
    ['SNP_HWID_MISMATCH', 'another chip', { report: { chipId: new Uint8Array(64).fill(7) } }],
    ['SNP_HWID_MISMATCH', 'a masked chip id', { report: { chipId: new Uint8Array(64) } }],
    [
      'SNP_HWID_MISMATCH',
      'bytes after the chip id of Turin',
      {
        product: 'Turin',
        chain: { hwid: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
        report: { chipId: Uint8Array.from({ length: 64 }, (_, index) => (index < 9 ? index + 1 : 0)) },
      },
    ],
    ['SNP_CSP_ID_MISSING', 'no provider', { kind: 'vlek', chain: { leafExtensions: without(`${amdArc}.5`) } }],
    [
      'SNP_CSP_ID_MISSING',
      'an empty provider',
      { kind: 'vlek', chain: { leafExtensions: replaced(`${amdArc}.5`, der.ia5String('')) } },
    ],
    ['SNP_VLEK_CHIP_ID', 'a chip id under a VLEK', { kind: 'vlek', report: { chipId: new Uint8Array(64).fill(7) } }],
  ];
}
