import { der } from '@fastness/codec/der';
import { amdArc } from '@fastness/testkit';
import { replaced, without, type Failure } from './failure.ts';

/** Reports that their leaf certificate was not issued for. */
export const leafFailures: readonly Failure[] = [
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
