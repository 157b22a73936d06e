import { concatBytes } from '@fastness/codec';
import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import type { KeyUsage } from '@fastness/codec/x509';
import { basicConstraints, forgedPcrs, generateKeys, keyUsage, nitroName, type NitroLevel } from '@fastness/testkit';
import { after, hexOf, type NitroScenario } from './nitro-forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type NitroFailure = readonly [code: ErrorCode, what: string, scenario: NitroScenario];

const [stranger, p256] = await Promise.all([generateKeys('p-384'), generateKeys('p-256')]);
const field = (name: string, value: CborValue): NitroScenario => ({
  document: { fields: (fields) => void fields.set(name, value) },
});
const without = (name: string): NitroScenario => ({ document: { fields: (fields) => void fields.delete(name) } });
const pcrs = (change: (registers: Map<number, CborValue>) => void): NitroScenario => {
  const registers = new Map<number, CborValue>(forgedPcrs(16));
  change(registers);
  return field('pcrs', registers);
};
const at = (level: NitroLevel, change: object): NitroScenario => ({ chain: { levels: { [level]: change } } });
const period = (from: number, to: number) => ({ validity: { notBefore: after(from), notAfter: after(to) } });
const flipLast = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
const zeroPcr0 = new Map([...forgedPcrs(16), [0, new Uint8Array(48)] as const]);

export const documentFailures: readonly NitroFailure[] = [
  ['NITRO_DOCUMENT_SIZE', 'more bytes than a document can have', { bytes: () => new Uint8Array(17_000) }],
  ['NITRO_ALGORITHM', 'ES256 in the header', { document: { protectedHeader: new Map([[1, -7]]) } }],
  [
    'NITRO_HEADER',
    'a key id, protected',
    {
      document: {
        protectedHeader: new Map<number, CborValue>([
          [1, -35],
          [4, new Uint8Array(1)],
        ]),
      },
    },
  ],
  ['NITRO_HEADER', 'a key id, unprotected', { document: { unprotected: new Map([[4, new Uint8Array(1)]]) } }],
  ['NITRO_PAYLOAD_MISSING', 'a detached payload', { document: { detached: true } }],
  ['NITRO_PAYLOAD_MISSING', 'an empty payload', { document: { payload: () => new Uint8Array() } }],
  ['NITRO_PAYLOAD_TYPE', 'a list', { document: { payload: () => encodeCbor([]) } }],
  ['CODEC_TRAILING', 'a byte after the message', { bytes: (bytes) => concatBytes(bytes, new Uint8Array(1)) }],
  [
    'CODEC_TRAILING',
    'a byte after the payload',
    { document: { payload: (bytes) => concatBytes(bytes, new Uint8Array(1)) } },
  ],
  ['CODEC_UNSUPPORTED', 'another tag', { bytes: (bytes) => concatBytes(Uint8Array.of(0xd1), bytes) }],
  [
    'COSE_HEADER',
    'the algorithm not protected',
    { bytes: (bytes) => concatBytes(Uint8Array.of(0x84, 0x40, 0xa1, 0x01, 0x38, 0x22), bytes.subarray(7)) },
  ],
  ['NITRO_KIND_MISMATCH', 'a document of NitroTPM as one of an enclave', { kind: 'nitrotpm', sentAs: 'enclave' }],
  ['NITRO_KIND_MISMATCH', 'a document of an enclave as one of NitroTPM', { sentAs: 'nitrotpm' }],
  ['NITRO_KIND_MISMATCH', 'the registers of both', field('nitrotpm_pcrs', forgedPcrs(24))],
  ...['module_id', 'digest', 'timestamp', 'pcrs', 'certificate', 'cabundle'].map((name): NitroFailure => [
    'NITRO_FIELD_MISSING',
    `no ${name}`,
    without(name),
  ]),
  ['NITRO_FIELD_UNKNOWN', 'a field more', field('extra', 1)],
  ['NITRO_MODULE_ID', 'empty', field('module_id', '')],
  ['NITRO_MODULE_ID', 'long', field('module_id', 'i'.repeat(129))],
  ['NITRO_MODULE_ID', 'bytes', field('module_id', new Uint8Array(4))],
  ['NITRO_DIGEST', 'SHA256', field('digest', 'SHA256')],
  ['NITRO_TIMESTAMP', 'zero', field('timestamp', 0)],
  ['NITRO_TIMESTAMP', 'text', field('timestamp', '2026')],
  ['NITRO_TIMESTAMP', 'no date', field('timestamp', 2n ** 63n)],
  ['NITRO_PCRS', 'none', field('pcrs', new Map())],
  ['NITRO_PCRS', 'no map', field('pcrs', [new Uint8Array(48)])],
  ['NITRO_PCRS', 'index 32', pcrs((registers) => void registers.set(32, new Uint8Array(48)))],
  ['NITRO_PCRS', 'index -1', pcrs((registers) => void registers.set(-1, new Uint8Array(48)))],
  ['NITRO_PCR_SIZE', '32 bytes', pcrs((registers) => void registers.set(3, new Uint8Array(32)))],
  ['NITRO_PCR_SIZE', 'text', pcrs((registers) => void registers.set(3, 'x'.repeat(48)))],
  ['NITRO_CERTIFICATE_SIZE', 'empty', field('certificate', new Uint8Array())],
  ['NITRO_CERTIFICATE_SIZE', 'long', field('certificate', new Uint8Array(1025))],
  ['NITRO_CABUNDLE', 'empty', field('cabundle', [])],
  [
    'NITRO_CABUNDLE',
    'nine certificates',
    field(
      'cabundle',
      Array.from({ length: 9 }, () => new Uint8Array(9)),
    ),
  ],
  ['NITRO_CABUNDLE', 'an empty certificate', field('cabundle', [new Uint8Array()])],
  ['NITRO_PUBLIC_KEY_SIZE', 'empty', { document: { publicKey: new Uint8Array() } }],
  ['NITRO_PUBLIC_KEY_SIZE', 'long', { document: { publicKey: new Uint8Array(1025) } }],
  ['NITRO_USER_DATA_SIZE', 'long', { document: { userData: new Uint8Array(513) } }],
  ['NITRO_USER_DATA_SIZE', 'text', field('user_data', 'text')],
  ['NITRO_NONCE_SIZE', 'long', { document: { nonce: new Uint8Array(513) } }],
];

const leafUsage = { extensions: [basicConstraints({ ca: false }), keyUsage('nonRepudiation')] };
const authority = (...usages: KeyUsage[]) => ({
  extensions: [basicConstraints({ ca: true }), keyUsage(...usages)],
});
const pathLength = (limit: number) => ({
  extensions: [basicConstraints({ ca: true, pathLength: limit }), keyUsage('keyCertSign')],
});
const unknownExtension = { oid: '1.2.3.4', critical: true, value: new Uint8Array([5, 0]) };
const P384_SHA256 = { signatureAlgorithm: { kind: 'ecdsa', hash: 'SHA-256' } };

export const chainFailures: readonly NitroFailure[] = [
  ['NITRO_ROOT_NOT_PINNED', 'no anchors', { anchors: () => ({}) }],
  ['NITRO_ROOT_NOT_PINNED', 'an empty list of anchors', { anchors: () => ({ nitro: [] }) }],
  ['NITRO_ROOT_NOT_PINNED', 'another key under the name of the root', at('root', { keys: stranger })],
  [
    'NITRO_ROOT_NOT_PINNED',
    'the bundle in the other order',
    {
      document: {
        fields: (fields) => void fields.set('cabundle', [...(fields.get('cabundle') as Uint8Array[])].toReversed()),
      },
    },
  ],
  [
    'NITRO_CHAIN_NAMES',
    'an intermediate left out',
    {
      document: {
        fields: (fields) =>
          void fields.set(
            'cabundle',
            (fields.get('cabundle') as Uint8Array[]).filter((_, index) => index !== 2),
          ),
      },
    },
  ],
  [
    'NITRO_CHAIN_NAMES',
    'a root that names another issuer',
    at('root', { issuer: { name: nitroName('another'), keys: stranger } }),
  ],
  ['NITRO_CERTIFICATE_KEY', 'a P-256 leaf', { ...at('leaf', { keys: p256 }) }],
  ['NITRO_CERTIFICATE_ALGORITHM', 'a leaf signed over SHA-256', at('leaf', P384_SHA256)],
  ['NITRO_CERTIFICATE_ALGORITHM', 'an intermediate signed over SHA-256', at('zonal', P384_SHA256)],
  [
    'NITRO_CERTIFICATE_EXTENSION',
    'in the leaf',
    at('leaf', { extensions: [...leafUsage.extensions, unknownExtension] }),
  ],
  [
    'NITRO_CERTIFICATE_EXTENSION',
    'in an intermediate',
    at('zonal', { extensions: [...authority('keyCertSign').extensions, unknownExtension] }),
  ],
  ['NITRO_AUTHORITY_CONSTRAINTS', 'a root without extensions', at('root', { extensions: [] })],
  [
    'NITRO_AUTHORITY_CONSTRAINTS',
    'an intermediate that is no authority',
    at('instance', { extensions: [basicConstraints({ ca: false }), keyUsage('keyCertSign')] }),
  ],
  ['NITRO_AUTHORITY_CONSTRAINTS', 'an intermediate that may not issue', at('zonal', authority('cRLSign'))],
  ['NITRO_AUTHORITY_CONSTRAINTS', 'a root that may not issue', at('root', authority('cRLSign'))],
  ['NITRO_PATH_LENGTH', 'a regional authority for one below', at('regional', pathLength(1))],
  ['NITRO_PATH_LENGTH', 'a root for two below', at('root', pathLength(2))],
  ['NITRO_LEAF_CONSTRAINTS', 'an authority', at('leaf', authority('digitalSignature'))],
  [
    'NITRO_LEAF_CONSTRAINTS',
    'for keyCertSign',
    at('leaf', { extensions: [keyUsage('digitalSignature', 'keyCertSign')] }),
  ],
  ['NITRO_LEAF_CONSTRAINTS', 'not for digitalSignature', at('leaf', leafUsage)],
  ['NITRO_LEAF_CONSTRAINTS', 'no key usage', at('leaf', { extensions: [basicConstraints({ ca: false })] })],
  ['NITRO_ROOT_SIGNATURE', 'a signature that was changed', at('root', { tamper: { signature: flipLast } })],
  ...(['regional', 'zonal', 'instance'] as const).map((level): NitroFailure => [
    'NITRO_INTERMEDIATE_SIGNATURE',
    `a changed ${level} one`,
    at(level, { tamper: { signature: flipLast } }),
  ]),
  ['NITRO_LEAF_SIGNATURE', 'a signature that was changed', at('leaf', { tamper: { signature: flipLast } })],
  ['NITRO_DOCUMENT_SIGNATURE', 'another P-384 key', { document: { signWith: stranger } }],
  ['NITRO_DOCUMENT_SIGNATURE', 'a byte that was changed', { bytes: flipLast }],
  ['NITRO_ROOT_VALIDITY', 'not yet', at('root', period(1, 9999))],
  ['NITRO_ROOT_VALIDITY', 'no longer', at('root', period(-9999, -1))],
  ...(['regional', 'zonal', 'instance'] as const).flatMap((level): NitroFailure[] => [
    ['NITRO_INTERMEDIATE_VALIDITY', `${level}, not yet`, at(level, period(1, 9999))],
    ['NITRO_INTERMEDIATE_VALIDITY', `${level}, no longer`, at(level, period(-9999, -1))],
  ]),
  ['NITRO_LEAF_VALIDITY', 'not yet', at('leaf', period(1, 180))],
  ['NITRO_LEAF_VALIDITY', 'no longer', at('leaf', period(-180, -1))],
  ['NITRO_LEAF_LIFETIME', 'a week', at('leaf', period(-60, 7 * 1440))],
  ['NITRO_MODULE_MISMATCH', 'another module', field('module_id', 'i-0f0f0f0f0f0f0f0f0-enc0000000000000000')],
  ['NITRO_MODULE_MISMATCH', 'a part of the name', field('module_id', 'i-0f0f0f0f0f0f0f0f0')],
];

export const appraisalFailures: readonly NitroFailure[] = [
  ['NITRO_REPORT_DATA_MISMATCH', 'for another session', { expectedReportData: new Uint8Array(64).fill(7) }],
  ['NITRO_REPORT_DATA_MISMATCH', 'no user data', field('user_data', null)],
  [
    'NITRO_REPORT_DATA_MISMATCH',
    'in the nonce only',
    { document: { userData: new Uint8Array(64), nonce: Uint8Array.from({ length: 64 }, (_, index) => index + 1) } },
  ],
  ['NITRO_REPORT_DATA_MISMATCH', 'in user data, where the policy says nonce', { section: { binding: 'nonce' } }],
  ['NITRO_TIMESTAMP_FUTURE', 'two minutes ahead', { document: { timestamp: after(2) } }],
  ['NITRO_TIMESTAMP_STALE', 'six minutes old', { document: { timestamp: after(-6) } }],
  ['NITRO_TIMESTAMP_STALE', 'older than the policy says', { section: { maxAgeSeconds: 30 } }],
  ['NITRO_PCR_MISSING', 'no PCR0', pcrs((registers) => void registers.delete(0))],
  ['NITRO_PCR_MISSING', 'no register of the policy', { section: { pcrs: { 20: [hexOf(20)] } } }],
  ['NITRO_PCR_MISSING', 'no PCR4 of a TPM', { kind: 'nitrotpm', document: { pcrs: forgedPcrs(4) } }],
  ['NITRO_DEBUG', 'PCR0 is zero', { document: { pcrs: zeroPcr0 } }],
  [
    'NITRO_DEBUG',
    'PCR0 is zero, and listed',
    { document: { pcrs: zeroPcr0 }, section: { measurements: ['00'.repeat(48)] } },
  ],
  ['NITRO_MEASUREMENT_NOT_ALLOWED', 'another image', { section: { measurements: [hexOf(9)] } }],
  ['NITRO_MEASUREMENT_NOT_ALLOWED', 'another boot', { kind: 'nitrotpm', section: { measurements: [hexOf(0)] } }],
  ['NITRO_PCR_NOT_ALLOWED', 'another signing certificate', { section: { pcrs: { 8: [hexOf(3)] } } }],
  ['NITRO_PCR_NOT_ALLOWED', 'the second of two', { section: { pcrs: { 1: [hexOf(1)], 2: [hexOf(3), hexOf(4)] } } }],
  [
    'NITRO_INSTANCE_UNKNOWN',
    'a module id of another form',
    { chain: { moduleId: 'module-1' }, section: { instances: { deny: ['i-00000000'] } } },
  ],
  ['NITRO_INSTANCE_NOT_ALLOWED', 'not listed', { section: { instances: { allow: ['i-00000000'] } } }],
  ['NITRO_INSTANCE_DENIED', 'listed', { section: { instances: { deny: ['i-0f0f0f0f0f0f0f0f0'] } } }],
];
