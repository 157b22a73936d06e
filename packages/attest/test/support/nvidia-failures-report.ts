import { concatBytes } from '@fastness/codec';
import { decodeCbor, encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import type { KeyUsage } from '@fastness/codec/x509';
import {
  basicConstraints,
  deviceName,
  firmwareIdentity,
  generateKeys,
  keyUsage,
  nvidiaField,
  nvidiaFields,
  nvidiaName,
  nvidiaText,
  ocspSigning,
  type ForgeCertificateOptions,
  type ForgedExtension,
  type NvidiaLevel,
} from '@fastness/testkit';
import { after, type NvidiaScenario } from './nvidia-forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type NvidiaFailure = readonly [code: ErrorCode, what: string, scenario: NvidiaScenario];

export const [stranger, p256] = await Promise.all([generateKeys('p-384'), generateKeys('p-256')]);
export const flipLast = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
const flipAt =
  (position: number) =>
  (bytes: Uint8Array): Uint8Array =>
    bytes.map((byte, index) => (index === position ? byte ^ 1 : byte));

const field = (id: number, value: Uint8Array): NvidiaScenario => ({
  report: { fields: (fields) => void fields.set(id, value) },
});
const without = (id: number): NvidiaScenario => ({ report: { fields: (fields) => void fields.delete(id) } });
const member = (change: (content: CborMap & Map<number, CborValue>) => void): NvidiaScenario => ({
  evidence: (evidence) => {
    const content = new Map(decodeCbor(evidence.value) as CborMap) as CborMap & Map<number, CborValue>;
    change(content);
    return { ...evidence, value: encodeCbor(content) };
  },
});

export const envelopeFailures: readonly NvidiaFailure[] = [
  ['ATTEST_EVIDENCE_MALFORMED', 'no report', member((content) => void content.delete(1))],
  ['ATTEST_EVIDENCE_MALFORMED', 'a member more', member((content) => void content.set(4, 1))],
  ['ATTEST_EVIDENCE_MALFORMED', 'settings that are no booleans', member((content) => void content.set(3, [1, 0]))],
  ['ATTEST_EVIDENCE_MALFORMED', 'three settings', member((content) => void content.set(3, [true, false, false]))],
  [
    'ATTEST_EVIDENCE_MALFORMED',
    'settings of a switch',
    { kind: 'nvswitch', ...member((content) => void content.set(3, [true, false])) },
  ],
  ['ATTEST_EVIDENCE_MALFORMED', 'certificates as text', member((content) => void content.set(2, ['leaf']))],
];

export const messageFailures: readonly NvidiaFailure[] = [
  ['NVIDIA_CHAIN_LENGTH', 'four certificates', { certificates: ({ certificates }) => certificates.slice(0, 4) }],
  [
    'NVIDIA_CHAIN_LENGTH',
    'six certificates',
    { certificates: ({ certificates }) => [...certificates, ...certificates.slice(4)] },
  ],
  ['NVIDIA_CHAIN_LENGTH', 'none', { certificates: () => [] }],
  [
    'NVIDIA_CHAIN_LENGTH',
    'a certificate that is too long',
    { certificates: ({ certificates }) => [...certificates.slice(0, 4), new Uint8Array(4097)] },
  ],
  ['NVIDIA_DEVICE_NAME', 'no name', leaf([keyUsage('digitalSignature'), firmwareIdentity('GH100', {})])],
  [
    'NVIDIA_DEVICE_NAME',
    'a name of another vendor',
    leaf([keyUsage('digitalSignature'), deviceName('GH100', 'OTHER'), firmwareIdentity('GH100', {})]),
  ],
  [
    'NVIDIA_DEVICE_NAME',
    'another kind of name',
    leaf([keyUsage('digitalSignature'), { oid: '2.5.29.17', value: Uint8Array.of(0x30, 0) }]),
  ],
  ['NVIDIA_KIND_MISMATCH', 'a switch as a GPU', { kind: 'nvswitch', sentAs: 'nvidia-gpu' }],
  ['NVIDIA_KIND_MISMATCH', 'a GPU as a switch', { sentAs: 'nvidia-nvswitch', settings: null }],
  ['NVIDIA_KIND_MISMATCH', 'an unknown chip', { chain: { chip: 'GA100' } }],

  ['NVIDIA_MESSAGE_SIZE', 'more bytes than a report can have', { bytes: () => new Uint8Array(17_000) }],
  ['NVIDIA_REQUEST', 'another version', { report: { request: flipAt(0) } }],
  ['NVIDIA_REQUEST', 'another request', { report: { request: flipAt(1) } }],
  ['NVIDIA_REQUEST', 'without a signature', { report: { request: flipAt(2) } }],
  ['NVIDIA_REQUEST', 'one measurement', { report: { request: flipAt(3) } }],
  ['NVIDIA_REQUEST', 'from slot 1', { report: { request: flipAt(36) } }],
  ['NVIDIA_RESPONSE', 'another version', { report: { responseHeader: Uint8Array.of(0x12, 0x60, 0, 0) } }],
  ['NVIDIA_RESPONSE', 'an error', { report: { responseHeader: Uint8Array.of(0x11, 0x7f, 0, 0) } }],
  ['NVIDIA_RESPONSE', 'with parameters', { report: { responseHeader: Uint8Array.of(0x11, 0x60, 0, 1) } }],
  ['NVIDIA_MEASUREMENT_RECORD', 'another number of blocks', { report: { blocks: 63 } }],
  ['NVIDIA_MEASUREMENT_RECORD', 'no blocks', { report: { record: () => new Uint8Array(), blocks: 0 } }],
  ['NVIDIA_MEASUREMENT_RECORD', 'an index twice', { report: { record: (record) => record.with(55, 1) } }],
  ['NVIDIA_MEASUREMENT_RECORD', 'index 0', { report: { record: (record) => record.with(0, 0) } }],
  ['NVIDIA_MEASUREMENT_RECORD', 'another specification', { report: { record: (record) => record.with(1, 2) } }],
  ['NVIDIA_MEASUREMENT_RECORD', 'another size', { report: { record: (record) => record.with(2, 52) } }],
  ['NVIDIA_MEASUREMENT_RECORD', 'a raw value', { report: { record: (record) => record.with(4, 0x81) } }],
  ['NVIDIA_MEASUREMENT_RECORD', 'a shorter digest', { report: { measurements: new Map([[0, new Uint8Array(32)]]) } }],
  ['CODEC_TRUNCATED', 'a record cut short', { report: { record: (record) => record.subarray(0, -1) } }],
  [
    'NVIDIA_OPAQUE_FIELD',
    'a field twice',
    { report: { opaque: (opaque) => concatBytes(opaque, nvidiaField(11, Uint8Array.of(0xaa))) } },
  ],
  ['NVIDIA_OPAQUE_FIELD', 'a field cut short', { report: { opaque: (opaque) => opaque.subarray(0, -1) } }],
  [
    'NVIDIA_OPAQUE_FIELD',
    'half a header',
    { report: { opaque: (opaque) => concatBytes(opaque, Uint8Array.of(1, 0)) } },
  ],
  ['NVIDIA_OPAQUE_UNKNOWN', 'field 37', field(37, new Uint8Array(1))],
  ['NVIDIA_OPAQUE_UNKNOWN', 'field 0', field(0, new Uint8Array(1))],
  ['NVIDIA_OPAQUE_UNKNOWN', 'a field of GPUs on a switch', { kind: 'nvswitch', ...field(28, new Uint8Array(1)) }],
  ['NVIDIA_OPAQUE_UNKNOWN', 'version 2', field(nvidiaFields.version, Uint8Array.of(2, 0))],
  ['NVIDIA_OPAQUE_UNKNOWN', 'an unknown mode', field(nvidiaFields.featureFlag, Uint8Array.of(3, 0))],
  ...(
    ['driverVersion', 'vbiosVersion', 'nvdec0Status', 'chipSku', 'project', 'projectSku', 'featureFlag'] as const
  ).map((name): NvidiaFailure => ['NVIDIA_FIELD_MISSING', `no ${name}`, without(nvidiaFields[name])]),
  ['NVIDIA_FIELD_MISSING', 'no identifier of a switch', { kind: 'nvswitch', ...without(nvidiaFields.switchPdi) }],
  ['NVIDIA_FIELD_MISSING', 'no firmware of a switch', { kind: 'nvswitch', ...without(nvidiaFields.vbiosVersion) }],
  ['NVIDIA_FIELD_VALUE', 'a driver version of letters', field(nvidiaFields.driverVersion, nvidiaText('latest'))],
  ['NVIDIA_FIELD_VALUE', 'a driver version with a gap', field(nvidiaFields.driverVersion, nvidiaText('580.95.05 x'))],
  ['NVIDIA_FIELD_VALUE', 'a VBIOS version of text', field(nvidiaFields.vbiosVersion, nvidiaText('96.00.5E'))],
  [
    'NVIDIA_FIELD_VALUE',
    'a firmware version of a switch in another form',
    { kind: 'nvswitch', ...field(nvidiaFields.vbiosVersion, nvidiaText('96.10')) },
  ],
  ['NVIDIA_FIELD_VALUE', 'a NVDEC0 status between on and off', field(nvidiaFields.nvdec0Status, Uint8Array.of(0x54))],
  [
    'NVIDIA_FIELD_VALUE',
    'a protected PCIe status of two bytes',
    field(nvidiaFields.protectedPcieStatus, Uint8Array.of(0x55, 0x55)),
  ],
  ['NVIDIA_FIELD_VALUE', 'a short firmware identity', field(nvidiaFields.fwid, new Uint8Array(32))],
  ['NVIDIA_FIELD_VALUE', 'a project with a path in it', field(nvidiaFields.project, nvidiaText('../10'))],
  ['NVIDIA_FIELD_VALUE', 'a chip with a space', field(nvidiaFields.chipInfo, nvidiaText('GB 100'))],
  ['NVIDIA_FIELD_VALUE', 'half an identifier', field(nvidiaFields.switchPdi, new Uint8Array(12))],
  ['NVIDIA_FIELD_VALUE', 'a version of no bytes', field(nvidiaFields.version, new Uint8Array())],
  [
    'NVIDIA_FIELD_VALUE',
    'a short identifier of a switch',
    { kind: 'nvswitch', ...field(nvidiaFields.switchPdi, new Uint8Array(4)) },
  ],
  ['NVIDIA_TRAILING', 'two zero bytes', { bytes: (bytes) => concatBytes(bytes, new Uint8Array(2)) }],
  ['NVIDIA_TRAILING', 'a byte that is not zero', { bytes: (bytes) => concatBytes(bytes, Uint8Array.of(0x0a)) }],
  ['CODEC_TRUNCATED', 'a signature cut short', { bytes: (bytes) => bytes.subarray(0, -1) }],
  ['CODEC_TRUNCATED', 'nothing', { bytes: () => new Uint8Array() }],
];

function at(level: NvidiaLevel, change: Partial<ForgeCertificateOptions>): NvidiaScenario {
  return { chain: { levels: { [level]: change } } };
}

function leaf(extensions: readonly ForgedExtension[]): NvidiaScenario {
  return at('leaf', { extensions });
}

const leafExtensions = [keyUsage('digitalSignature'), deviceName('GH100'), firmwareIdentity('GH100', {})];
const authority = (...usages: KeyUsage[]) => ({ extensions: [basicConstraints({ ca: true }), keyUsage(...usages)] });
const pathLength = (limit: number) => ({
  extensions: [basicConstraints({ ca: true, pathLength: limit }), keyUsage('keyCertSign')],
});
const unknownExtension = { oid: '1.2.3.4', critical: true, value: new Uint8Array([5, 0]) };
const withSha256 = { signatureAlgorithm: { kind: 'ecdsa', hash: 'SHA-256' } } as const;
const period = (from: number, to: number) => ({ validity: { notBefore: after(from), notAfter: after(to) } });

export const deviceFailures: readonly NvidiaFailure[] = [
  ['NVIDIA_ROOT_NOT_PINNED', 'no anchors', { anchors: () => ({}) }],
  [
    'NVIDIA_ROOT_NOT_PINNED',
    'the root of documents',
    {
      anchors: (_, { rootSpkiSha256: spkiSha256 }) => ({
        nvidiaDevices: [{ name: 'x', spkiSha256, certificateSha256: '', source: '' }],
      }),
    },
  ],
  ['NVIDIA_ROOT_NOT_PINNED', 'another key under the name of the root', at('root', { keys: stranger })],
  [
    'NVIDIA_CHAIN_NAMES',
    'two certificates in the other order',
    {
      certificates: ({ certificates: [one, two, three, four, five] }) =>
        [one, two, four, three, five].filter((der) => der !== undefined),
    },
  ],
  [
    'NVIDIA_CHAIN_NAMES',
    'a root that names another issuer',
    at('root', { issuer: { name: nvidiaName('another'), keys: stranger } }),
  ],
  ['NVIDIA_CERTIFICATE_KEY', 'a P-256 leaf', at('leaf', { keys: p256 })],
  ['NVIDIA_CERTIFICATE_ALGORITHM', 'a leaf signed over SHA-256', at('leaf', withSha256)],
  ['NVIDIA_CERTIFICATE_ALGORITHM', 'an authority signed over SHA-256', at('line', withSha256)],
  ['NVIDIA_CERTIFICATE_EXTENSION', 'in the leaf', leaf([...leafExtensions, unknownExtension])],
  [
    'NVIDIA_CERTIFICATE_EXTENSION',
    'in an authority',
    at('line', { extensions: [...authority('keyCertSign').extensions, unknownExtension] }),
  ],
  ['NVIDIA_AUTHORITY_CONSTRAINTS', 'a root without extensions', at('root', { extensions: [] })],
  [
    'NVIDIA_AUTHORITY_CONSTRAINTS',
    'a chip that is no authority',
    at('chip', { extensions: [basicConstraints({ ca: false }), keyUsage('keyCertSign')] }),
  ],
  ['NVIDIA_AUTHORITY_CONSTRAINTS', 'a provisioner that may not issue', at('provisioner', authority('cRLSign'))],
  ['NVIDIA_PATH_LENGTH', 'a provisioner for none below', at('provisioner', pathLength(0))],
  ['NVIDIA_PATH_LENGTH', 'a root for two below', at('root', pathLength(2))],
  [
    'NVIDIA_LEAF_CONSTRAINTS',
    'an authority',
    leaf([basicConstraints({ ca: true }), keyUsage('digitalSignature', 'keyCertSign'), ...leafExtensions.slice(1)]),
  ],
  ['NVIDIA_LEAF_CONSTRAINTS', 'not for signing', leaf([keyUsage('keyAgreement'), ...leafExtensions.slice(1)])],
  ['NVIDIA_LEAF_CONSTRAINTS', "an OCSP responder's", leaf([...leafExtensions, ocspSigning])],
  ['NVIDIA_LEAF_CONSTRAINTS', 'no key usage', leaf(leafExtensions.slice(1))],
  ['NVIDIA_ROOT_SIGNATURE', 'a signature that was changed', at('root', { tamper: { signature: flipLast } })],
  ...(['chip', 'provisioner', 'line'] as const).map((level): NvidiaFailure => [
    'NVIDIA_INTERMEDIATE_SIGNATURE',
    `a changed one of the ${level}`,
    at(level, { tamper: { signature: flipLast } }),
  ]),
  ['NVIDIA_LEAF_SIGNATURE', 'a signature that was changed', at('leaf', { tamper: { signature: flipLast } })],
  ['NVIDIA_REPORT_SIGNATURE', 'another P-384 key', { report: { keys: stranger } }],
  ['NVIDIA_REPORT_SIGNATURE', 'a byte of the signature', { bytes: flipLast }],
  ['NVIDIA_REPORT_SIGNATURE', 'a byte of the nonce', { bytes: flipAt(10) }],
  ['NVIDIA_REPORT_SIGNATURE', 'a byte of a measurement', { bytes: flipAt(60) }],
  ['NVIDIA_CERTIFICATE_VALIDITY', 'a chip, not yet', at('chip', period(1, 9999))],
  ['NVIDIA_CERTIFICATE_VALIDITY', 'a leaf, no longer', at('leaf', period(-9999, -1))],
  ['NVIDIA_CERTIFICATE_VALIDITY', 'a root, no longer', at('root', period(-9999, -1))],
  ['NVIDIA_FWID_MISSING', 'none', leaf(leafExtensions.slice(0, 2))],
  [
    'NVIDIA_FWID_MISSING',
    'both forms',
    leaf([...leafExtensions, firmwareIdentity('GH100', { fwidStyle: 'dice-tcb-info' })]),
  ],
  [
    'NVIDIA_FWID_MISSING',
    'one that cannot be read',
    leaf([...leafExtensions.slice(0, 2), { oid: '2.23.133.5.4.1', value: Uint8Array.of(0x30, 0) }]),
  ],
  ['NVIDIA_FWID_MISSING', 'a digest of another length', { chain: { fwid: new Uint8Array(32) } }],
  ['NVIDIA_FWID_ABSENT', 'none in the report', without(nvidiaFields.fwid)],
  ['NVIDIA_FWID_MISMATCH', 'another in the report', field(nvidiaFields.fwid, new Uint8Array(48).fill(2))],
  ['NVIDIA_FWID_MISMATCH', 'another in the leaf', { chain: { fwid: new Uint8Array(48).fill(2) } }],
  [
    'NVIDIA_FWID_MISMATCH',
    'another in the DiceTcbInfo of a leaf',
    { chain: { chip: 'GB100', fwid: new Uint8Array(48).fill(2) } },
  ],
  [
    'NVIDIA_FWID_MISMATCH',
    'another in the report of a switch',
    { kind: 'nvswitch', ...field(nvidiaFields.fwid, new Uint8Array(48).fill(2)) },
  ],
];
