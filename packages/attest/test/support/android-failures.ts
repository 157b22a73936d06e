import { concatBytes, utf8Encode } from '@fastness/codec';
import { encodeCbor } from '@fastness/codec/cbor';
import { der } from '@fastness/codec/der';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  androidTags as tags,
  basicConstraints,
  encodeKeyDescription,
  forgeAndroidStatus,
  generateKeys,
  keyDescriptionExtension,
  keyUsage,
  rootOfTrust,
  sharedKeys,
  taggedProperty,
  type AndroidLevel,
  type ForgedRootOfTrust,
} from '@fastness/testkit';
import { after, challenge, listed, sent, type AndroidScenario } from './android-forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type AndroidFailure = readonly [code: ErrorCode, what: string, scenario: AndroidScenario];

const [stranger, rootKeys] = await Promise.all([generateKeys('p-384'), sharedKeys('Android root', 'p-384')]);
const at = (level: AndroidLevel, change: object): AndroidScenario => ({ levels: { [level]: change } });
const period = (from: number, to: number) => ({ validity: { notBefore: after(from), notAfter: after(to) } });
const attestationName = { organization: 'TEE', commonName: 'Forged Android attestation' };
const flipLast = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
const boot = (options: ForgedRootOfTrust): AndroidScenario => ({ hardware: [rootOfTrust(options)] });
const described = encodeKeyDescription({ challenge });
const authority = [basicConstraints({ ca: true }), keyUsage('keyCertSign')];
const unknownExtension = { oid: '1.2.3.4', critical: true, value: new Uint8Array([5, 0]) };
const property = (content: Uint8Array): AndroidScenario => ({
  chain: {
    extension: () =>
      der.sequence(
        der.integer(300),
        der.enumerated(1),
        der.integer(300),
        der.enumerated(1),
        der.octetString(challenge),
        der.octetString(new Uint8Array()),
        der.sequence(),
        der.sequence(content),
      ),
  },
});

export const readingFailures: readonly AndroidFailure[] = [
  ['ATTEST_EVIDENCE_MALFORMED', 'one certificate', { certificates: ([leaf]) => (leaf === undefined ? [] : [leaf]) }],
  [
    'ATTEST_EVIDENCE_MALFORMED',
    'nine certificates',
    { certificates: (all) => Array.from({ length: 9 }, (_, index) => all[index % 4] ?? new Uint8Array()) },
  ],
  [
    'ATTEST_EVIDENCE_MALFORMED',
    'another map',
    { evidence: (evidence) => ({ ...evidence, value: encodeCbor(new Map([[2, []]])) }) },
  ],
  [
    'CODEC_TRAILING',
    'a byte after the evidence',
    { evidence: (evidence) => ({ ...evidence, value: concatBytes(evidence.value, new Uint8Array(1)) }) },
  ],
  [
    'CODEC_TRAILING',
    'a byte after a certificate',
    { certificates: ([leaf = new Uint8Array(), ...rest]) => [concatBytes(leaf, new Uint8Array(1)), ...rest] },
  ],
  ['ANDROID_EXTENSION_MISSING', 'in the leaf', at('leaf', { extensions: [keyUsage('digitalSignature')] })],
  [
    'ANDROID_EXTENSION_REPEATED',
    'in the certificate above',
    at('attestation', { extensions: [...authority, keyDescriptionExtension(described)] }),
  ],
  ['ANDROID_LEVEL', 'level 3', { description: { attestationLevel: 3 } }],
  ['ANDROID_LEVEL', 'level 3 of the key', { description: { keyMintLevel: 3 } }],
  [
    'ANDROID_TAG_ORDER',
    'two properties exchanged',
    {
      description: {
        hardware: [
          [tags.algorithm, der.integer(3)],
          [tags.purpose, der.set()],
        ],
      },
    },
  ],
  [
    'ANDROID_TAG_ORDER',
    'a root of trust given twice',
    { description: { hardware: [rootOfTrust({ locked: false }), rootOfTrust()] } },
  ],
  ['ANDROID_ROOT_OF_TRUST', 'boot state 4', boot({ state: 4 })],
  ['CODEC_NOT_CANONICAL', 'a BOOLEAN of BER', boot({ lockedDer: Uint8Array.of(1, 1, 1) })],
  ['CODEC_NOT_CANONICAL', 'a low tag in the form of a high one', property(Uint8Array.of(0xbf, 0x02, 3, 2, 1, 3))],
  ['CODEC_NOT_CANONICAL', 'a tag with leading zeros', property(Uint8Array.of(0xbf, 0x80, 0x7f, 3, 2, 1, 3))],
  ['CODEC_NOT_CANONICAL', 'a length that is too long', property(Uint8Array.of(0xa2, 0x81, 3, 2, 1, 3))],
  ['CODEC_LIMIT', 'a tag above 2^21', property(Uint8Array.of(0xbf, 0x81, 0x80, 0x80, 0x00, 0))],
  ['CODEC_MALFORMED', 'a tag of another class', property(der.integer(1))],
  ['CODEC_TRUNCATED', 'a property cut short', property(Uint8Array.of(0xa2, 9, 2, 1, 3))],
  [
    'CODEC_TRAILING',
    'two values under one tag',
    property(taggedProperty([tags.algorithm, concatBytes(der.integer(3), der.integer(3))])),
  ],
  [
    'CODEC_TRAILING',
    'a byte after the extension',
    { chain: { extension: (value) => concatBytes(value, new Uint8Array(1)) } },
  ],
  ['ANDROID_VERSION', 'version 600', { description: { version: 600 } }],
  ['ANDROID_VERSION', 'version 0', { description: { version: 0 } }],
  [
    'ANDROID_PROVISIONING_INFO',
    'a list',
    at('attestation', { extensions: [...authority, { oid: '1.3.6.1.4.1.11129.2.1.30', value: encodeCbor([]) }] }),
  ],
];

export const chainFailures: readonly AndroidFailure[] = [
  ['ANDROID_ROOT_NOT_PINNED', 'no anchors', { anchors: () => ({}) }],
  ['ANDROID_ROOT_NOT_PINNED', 'no roots', { anchors: () => ({ androidKey: { roots: [] } }) }],
  ['ANDROID_ROOT_NOT_PINNED', 'another key under the name of the root', at('root', { keys: stranger })],
  ['ANDROID_ROOT_NOT_PINNED', 'a chain without its root', { certificates: (all) => all.slice(0, 3) }],
  [
    'ANDROID_ROOT_NOT_PINNED',
    'the other order',
    { certificates: (all) => [...all.slice(0, 1), ...all.slice(1).toReversed()] },
  ],
  ['ANDROID_CHAIN_NAMES', 'a certificate left out', { certificates: (all) => all.filter((_, index) => index !== 2) }],
  [
    'ANDROID_CHAIN_NAMES',
    'a root that names another issuer',
    at('root', { issuer: { name: 'another', keys: rootKeys } }),
  ],
  [
    'ANDROID_LEAF_AUTHORITY',
    'by its constraints',
    at('leaf', { extensions: [...authority.slice(0, 1), keyDescriptionExtension(described)] }),
  ],
  [
    'ANDROID_LEAF_AUTHORITY',
    'by its usage',
    at('leaf', { extensions: [keyUsage('keyCertSign'), keyDescriptionExtension(described)] }),
  ],
  ...(['attestation', 'intermediate', 'root'] as const).flatMap((level): AndroidFailure[] => [
    ['ANDROID_AUTHORITY_CONSTRAINTS', `no ${level} authority`, at(level, { extensions: [keyUsage('keyCertSign')] })],
    [
      'ANDROID_AUTHORITY_CONSTRAINTS',
      `${level}, not for certificates`,
      at(level, { extensions: [basicConstraints({ ca: true }), keyUsage('digitalSignature')] }),
    ],
  ]),
  [
    'ANDROID_AUTHORITY_CONSTRAINTS',
    'an intermediate for none below',
    at('intermediate', { extensions: [basicConstraints({ ca: true, pathLength: 0 }), keyUsage('keyCertSign')] }),
  ],
  [
    'ANDROID_CERTIFICATE_EXTENSION',
    'in the leaf',
    at('leaf', { extensions: [keyDescriptionExtension(described), unknownExtension] }),
  ],
  [
    'ANDROID_CERTIFICATE_EXTENSION',
    'in an authority',
    at('attestation', { extensions: [...authority, unknownExtension] }),
  ],
  ['ANDROID_ROOT_SIGNATURE', 'a changed one', at('root', { tamper: { signature: flipLast } })],
  ['ANDROID_INTERMEDIATE_SIGNATURE', 'a changed intermediate', at('intermediate', { tamper: { signature: flipLast } })],
  [
    'ANDROID_INTERMEDIATE_SIGNATURE',
    'a changed attestation certificate',
    at('attestation', { tamper: { signature: flipLast } }),
  ],
  ['ANDROID_LEAF_SIGNATURE', 'a changed leaf', at('leaf', { tamper: { signature: flipLast } })],
  [
    'ANDROID_LEAF_SIGNATURE',
    'a leaf of another key',
    at('leaf', { issuer: { name: attestationName, keys: stranger } }),
  ],
  ...(['attestation', 'intermediate'] as const).flatMap((level): AndroidFailure[] => [
    ['ANDROID_INTERMEDIATE_VALIDITY', `${level}, not yet`, at(level, period(1, 99))],
    ['ANDROID_INTERMEDIATE_VALIDITY', `${level}, no longer`, at(level, period(-99, -1))],
  ]),
  [
    'ANDROID_LEVEL_MISMATCH',
    'StrongBox from the key of a TEE',
    { chain: { hardware: 'TEE' }, description: { attestationLevel: 2 } },
  ],
  [
    'ANDROID_LEVEL_MISMATCH',
    'software from the key of a TEE',
    { chain: { hardware: 'TEE' }, description: { attestationLevel: 0 } },
  ],
  ['ANDROID_STATUS_MISSING', 'no list', { status: () => null }],
  ['ANDROID_STATUS_NOT_PINNED', 'a list that was sent along', sent()],
  [
    'ANDROID_STATUS_NOT_PINNED',
    'another list than the pinned one',
    { ...sent(), section: { statusLists: ['00'.repeat(32)] } },
  ],
  ['ANDROID_STATUS_STALE', 'eight days old', { status: () => ({ fetchedAt: after(-8 * 24) }) }],
  ['ANDROID_STATUS_STALE', 'older than the policy says', { section: { maxStatusAgeSeconds: 600 } }],
  ['ANDROID_STATUS_STALE', 'from the future', { status: () => ({ fetchedAt: after(1) }) }],
  ['ANDROID_STATUS_MALFORMED', 'no JSON', { status: () => ({ json: utf8Encode('<html>') }) }],
  ['ANDROID_STATUS_MALFORMED', 'no entries', { status: () => ({ json: utf8Encode('{}') }) }],
  [
    'ANDROID_STATUS_MALFORMED',
    'a serial twice',
    { status: () => ({ json: utf8Encode('{"entries":{"a":{"status":"REVOKED"},"a":{"status":"REVOKED"}}}') }) },
  ],
  [
    'ANDROID_STATUS_MALFORMED',
    'an entry without a status',
    { status: () => ({ json: forgeAndroidStatus({ ab: {} }) }) },
  ],
  [
    'ANDROID_STATUS_MALFORMED',
    'a serial that is no number',
    { status: () => ({ json: forgeAndroidStatus({ xyz: { status: 'REVOKED' } }) }) },
  ],
  ...(['leaf', 'attestation', 'intermediate', 'root'] as const).map((level): AndroidFailure => [
    'ANDROID_REVOKED',
    level,
    listed(level),
  ]),
  ['ANDROID_REVOKED', 'suspended', listed('attestation', 'SUSPENDED')],
  [
    'ANDROID_REVOKED',
    'with leading zeros',
    {
      status: ({ serials }) => ({
        json: forgeAndroidStatus({ [`00${serials.attestation.toUpperCase()}`]: { status: 'REVOKED' } }),
      }),
    },
  ],
];
