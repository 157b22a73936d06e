import { concatBytes } from '@fastness/codec';
import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import { corimEndorsement, forgedRealm, realmPublicKey } from '@fastness/testkit';
import { deviceCorim, pinVendor, PLATFORM, REALM, realmTriple, signedCorim } from './arm-corims.ts';
import { armKey, armReference, deviceKeys, otherHex, p256Keys, realmKeys, strangerKeys } from './arm-forge.ts';
import { challenge, type CcaScenario } from './cca-forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type CcaFailure = readonly [code: ErrorCode, what: string, scenario: CcaScenario];

const platform = (key: number, value: CborValue): CcaScenario => ({
  token: { platform: (claims) => void claims.set(key, value) },
});
const realm = (key: number, value: CborValue): CcaScenario => ({
  token: { realm: (claims) => void claims.set(key, value) },
});
const noPlatform = (key: number): CcaScenario => ({ token: { platform: (claims) => void claims.delete(key) } });
const noRealm = (key: number): CcaScenario => ({ token: { realm: (claims) => void claims.delete(key) } });
const member = (key: number | string, value: CborValue, tag = 399): CcaScenario => ({
  token: { tag, collection: (members) => void members.set(key, value) },
});
const V2 = 'tag:arm.com,2024:cca_platform#2.0.0';
const second = (key: number, value: CborValue): CcaScenario => ({
  token: { platformProfile: V2, realm: (claims) => void claims.set(key, value) },
});
const secondPlatform = (key: number, value: CborValue): CcaScenario => ({
  token: { platformProfile: V2, platform: (claims) => void claims.set(key, value) },
});
const hash = new Uint8Array(32);
const key = realmPublicKey(realmKeys);
/** A COSE_Key with one parameter changed or added. */
const coseKey = (...entries: readonly (readonly [number, CborValue])[]): CcaScenario => {
  const point = realmPublicKey(realmKeys, 'point').subarray(1);
  const parameters = new Map<number, CborValue>([
    [1, 2],
    [-1, 2],
    [-2, point.subarray(0, 48)],
    [-3, point.subarray(48)],
    ...entries,
  ]);
  return realm(44237, encodeCbor(parameters));
};

export const tokenFailures: readonly CcaFailure[] = [
  ['CCA_TOKEN_SIZE', 'no bytes', { bytes: () => new Uint8Array() }],
  ['CCA_TOKEN_SIZE', 'too many bytes', { bytes: () => new Uint8Array(32_769) }],
  ['CODEC_TRAILING', 'a byte after the token', { bytes: (bytes) => concatBytes(bytes, new Uint8Array(1)) }],
  ['CCA_COLLECTION', 'another tag', { token: { tag: 400 } }],
  ['CCA_COLLECTION', 'no tag', { bytes: (bytes) => bytes.subarray(3) }],
  ['CCA_COLLECTION', 'a list', { bytes: () => Uint8Array.of(0xd9, 0x01, 0x8f, 0x80) }],
  ['CCA_COLLECTION_MEMBER', 'no platform token', { token: { collection: (members) => void members.delete(44234) } }],
  ['CCA_COLLECTION_MEMBER', 'no realm token', { token: { collection: (members) => void members.delete(44241) } }],
  ['CCA_COLLECTION_MEMBER', 'a third member', member(44242, hash)],
  ['CCA_COLLECTION_MEMBER', 'the name of a type, which tag 399 has not', member('__cmwc_t', 'tag:example.org')],
  ['CCA_COLLECTION_MEMBER', 'a record under tag 399', member(44241, [263, hash])],
  ['CCA_COLLECTION_MEMBER', 'a byte string under tag 907', member(44241, hash, 907)],
  ['CCA_COLLECTION_MEMBER', 'a record of another type', member(44241, [60, hash], 907)],
  ['CCA_COLLECTION_MEMBER', 'a record of four members', member(44241, [263, hash, 4, 4], 907)],
  ['CCA_MESSAGE_TAG', 'an untagged platform token', { token: { platformMessage: { tagged: false } } }],
  ['CCA_MESSAGE_TAG', 'an untagged realm token', { token: { realmMessage: { tagged: false } } }],
  [
    'CCA_MESSAGE_TAG',
    'a COSE_Mac0',
    { token: { realmMessage: { bytes: (bytes) => concatBytes(Uint8Array.of(0xd1), bytes.subarray(1)) } } },
  ],
  ['CCA_ALGORITHM', 'a platform token', { token: { platformMessage: { protectedHeader: new Map([[1, -19]]) } } }],
  ['CCA_ALGORITHM', 'a realm token', { token: { realmMessage: { protectedHeader: new Map([[1, -8]]) } } }],
  ['CCA_HEADER', 'a certificate chain', { token: { platformMessage: { unprotected: new Map([[33, hash]]) } } }],
  ['CCA_PAYLOAD', 'a detached platform token', { token: { platformMessage: { detached: true } } }],
  ['CCA_PAYLOAD', 'a realm token with a list', { token: { realmMessage: { payload: () => encodeCbor([]) } } }],
  ['CCA_PLATFORM_PROFILE', 'none', noPlatform(265)],
  ['CCA_PLATFORM_PROFILE', 'another', platform(265, 'tag:arm.com,2026:cca_platform#2.0.0')],
  ['CCA_PLATFORM_PROFILE', 'one of PSA', platform(265, 'tag:psacertified.org,2023:psa#tfm')],
  ...[10, 256, 2395, 2396, 2399, 2401, 2402].map((claim): CcaFailure => [
    'CCA_PLATFORM_CLAIM_MISSING',
    `claim ${claim}`,
    noPlatform(claim),
  ]),
  [
    'CCA_PLATFORM_CLAIM_MISSING',
    'the client of profile 2.0.0',
    { token: { platformProfile: V2, platform: (claims) => void claims.delete(2394) } },
  ],
  ['CCA_PLATFORM_CHALLENGE', '31 bytes', platform(10, new Uint8Array(31))],
  ['CCA_PLATFORM_CHALLENGE', 'a list', platform(10, [hash])],
  ['CCA_INSTANCE_ID', '32 bytes', platform(256, hash)],
  ['CCA_INSTANCE_ID', 'of another kind', platform(256, Uint8Array.of(0x02, ...hash))],
  ['CCA_IMPLEMENTATION_ID', '33 bytes', platform(2396, new Uint8Array(33))],
  ['CCA_LIFECYCLE_VALUE', 'between states', platform(2395, 0x3f00)],
  ['CCA_LIFECYCLE_VALUE', 'text', platform(2395, 'secured')],
  ['CCA_CONFIGURATION', 'empty', platform(2401, new Uint8Array())],
  ['CCA_CONFIGURATION', 'text', platform(2401, 'cfg')],
  ['CCA_SOFTWARE_COMPONENTS', 'none', platform(2399, [])],
  ['CCA_SOFTWARE_COMPONENTS', 'without a signer', platform(2399, [new Map([[2, hash]])])],
  ['CCA_PLATFORM_HASH', 'an unknown name', platform(2402, 'md5')],
  ['CCA_PLATFORM_HASH', 'a number', platform(2402, 1)],
  ['CCA_VERIFICATION_SERVICE', 'empty', platform(2400, '')],
  ['CCA_CLIENT_ID', 'another', secondPlatform(2394, -7)],
  ['CCA_REALM_PROFILE', 'another', realm(265, 'tag:arm.com,2023:realm#1.1.0')],
  ['CCA_REALM_PROFILE', 'none beside a platform of 2024', { token: { platformProfile: V2, realmProfile: null } }],
  ...[10, 44235, 44236, 44237, 44238, 44239, 44240].map((claim): CcaFailure => [
    'CCA_REALM_CLAIM_MISSING',
    `claim ${claim}`,
    noRealm(claim),
  ]),
  [
    'CCA_REALM_CLAIM_MISSING',
    'the MEC policy of profile 2.0.0',
    { token: { platformProfile: V2, realm: (claims) => void claims.delete(44243) } },
  ],
  ['CCA_CHALLENGE', '32 bytes', realm(10, hash)],
  ['CCA_CHALLENGE', 'a list', realm(10, [challenge])],
  ['CCA_PERSONALIZATION', '32 bytes', realm(44235, hash)],
  ['CCA_REALM_HASH', 'an unknown name', realm(44236, 'sha-1')],
  ['CCA_MEASUREMENT', 'a short initial measurement', realm(44238, new Uint8Array(20))],
  ['CCA_MEASUREMENT', 'three registers', realm(44239, forgedRealm.rems.slice(1))],
  ['CCA_MEASUREMENT', 'a short register', realm(44239, [...forgedRealm.rems.slice(1), new Uint8Array(20)])],
  ['CCA_MEASUREMENT', 'registers that are no list', realm(44239, hash)],
  ['CCA_RAK', 'text', realm(44237, 'key')],
  ['CCA_RAK', 'a point where a COSE_Key belongs', realm(44237, realmPublicKey(realmKeys, 'point'))],
  [
    'CCA_RAK',
    'a COSE_Key where a point belongs',
    { token: { realmProfile: null, realm: (set) => void set.set(44237, key) } },
  ],
  ['CCA_RAK', 'bytes after the COSE_Key', realm(44237, concatBytes(key, new Uint8Array(1)))],
  ['CCA_RAK', 'another type of key', coseKey([1, 1])],
  ['CCA_RAK', 'another curve', coseKey([-1, 1])],
  ['CCA_RAK', 'a compressed point', coseKey([-3, true])],
  ['CCA_RAK', 'a short coordinate', coseKey([-2, new Uint8Array(47)])],
  ['CCA_RAK', 'for another algorithm', coseKey([3, -7])],
  ['CCA_RAK', 'for other operations', coseKey([4, [1]])],
  ['CCA_RAK_HASH', 'an unknown name', realm(44240, 'sha-1')],
  ['CCA_REALM_POLICY', 'an unknown MEC policy', second(44243, 2)],
  ['CCA_REALM_POLICY', 'an unknown LFA policy', second(44244, 2)],
  ['CCA_REALM_POLICY', 'a short instance id', second(256, hash)],
  ['CCA_REALM_POLICY', 'a short hash of devices', second(44257, new Uint8Array(31))],
];

const otherImplementation = '22'.repeat(32);
const endorsed = (keys: readonly object[]): CcaScenario => ({ section: { keys } });
const offCurve = concatBytes(Uint8Array.of(0x04), new Uint8Array(96).fill(1));

export const authenticityFailures: readonly CcaFailure[] = [
  ['CCA_KEY_UNKNOWN', 'only another platform is listed', endorsed([armKey(deviceKeys, { instanceId: otherHex })])],
  [
    'CCA_IMPLEMENTATION_MISMATCH',
    'listed for another implementation',
    endorsed([armKey(deviceKeys, { implementationId: otherImplementation })]),
  ],
  ['CCA_KEY_AMBIGUOUS', 'listed with two keys', endorsed([armKey(deviceKeys), armKey(strangerKeys)])],
  ['CCA_KEY_TYPE', 'a key on another curve', endorsed([armKey(p256Keys)])],
  ['CCA_PLATFORM_SIGNATURE', 'by another key', { token: { platformMessage: { signWith: strangerKeys } } }],
  ['CCA_PLATFORM_SIGNATURE', 'by the realm key', { token: { platformMessage: { signWith: realmKeys } } }],
  ['CCA_BINDING', 'to another key', { token: { bound: hash } }],
  ['CCA_BINDING', 'a realm token of another platform', { token: { bound: new Uint8Array(64) } }],
  ['CCA_BINDING', 'with another hash than the realm names', realm(44240, 'sha-384')],
  ['CCA_RAK_TYPE', 'a key on another curve', realm(44237, realmPublicKey(p256Keys))],
  ['CCA_REALM_SIGNATURE', 'by another key', { token: { realmMessage: { signWith: strangerKeys } } }],
  ['CCA_REALM_SIGNATURE', 'by the platform key', { token: { realmMessage: { signWith: deviceKeys } } }],
  [
    'X509_KEY',
    'a realm key off its curve',
    { token: { realmProfile: null, realm: (claims) => void claims.set(44237, offCurve) } },
  ],
  [
    'CORIM_UNSIGNED',
    'an unsigned CoRIM',
    { section: pinVendor, endorsements: async () => [corimEndorsement(deviceCorim(PLATFORM), false)] },
  ],
  [
    'CORIM_SIGNATURE',
    'a CoRIM that another key signed',
    { section: pinVendor, endorsements: async () => signedCorim(PLATFORM, { sign: { signWith: strangerKeys } }) },
  ],
  [
    'CORIM_PROFILE_UNEXPECTED',
    'a CoRIM of PSA devices',
    { section: pinVendor, endorsements: async () => signedCorim() },
  ],
  [
    'CORIM_PROFILE_UNEXPECTED',
    'a CoRIM of realms, which the vendor cannot endorse',
    {
      section: pinVendor,
      endorsements: async () => signedCorim(REALM, { corim: { triples: { 0: [realmTriple()] } } }),
    },
  ],
];

const references = (change: object): CcaScenario => ({ section: { references: [{ ...armReference(), ...change }] } });
const state = (value: number): CcaScenario => platform(2395, value);

export const appraisalFailures: readonly CcaFailure[] = [
  [
    'CCA_CHALLENGE_MISMATCH',
    'another',
    { expectedReportData: challenge.map((byte, index) => (index === 0 ? byte ^ 0x80 : byte)) },
  ],
  ['CCA_LIFECYCLE', 'unknown', state(0x0000)],
  ['CCA_LIFECYCLE', 'provisioning', state(0x2000)],
  ['CCA_LIFECYCLE', 'recoverable debugging of the root of trust', { ...state(0x5000), waive: ['CCA_DEBUG'] }],
  ['CCA_LIFECYCLE', 'decommissioned', state(0x6000)],
  ['CCA_DEBUG', 'debugging outside the root of trust', state(0x4000)],
  ['CCA_IMPLEMENTATION_NOT_ALLOWED', 'not listed', { section: { implementationIds: [otherImplementation] } }],
  ['CCA_INSTANCE_NOT_ALLOWED', 'not listed', { section: { instances: { allow: [otherHex] } } }],
  ['CCA_INSTANCE_DENIED', 'listed', { section: { instances: { deny: [armKey(deviceKeys).instanceId] } } }],
  ['CCA_PLATFORM_EXTENDED', 'by one component', secondPlatform(2404, [new Map()])],
  ['CCA_REFERENCE_MISSING', 'no references at all', { without: ['references'] }],
  ['CCA_REFERENCE_MISSING', 'of another implementation', references({ implementationId: otherImplementation })],
  [
    'CCA_SOFTWARE_NOT_ALLOWED',
    'another measurement',
    references({ components: [{ digests: [{ value: 'ff'.repeat(32) }] }, ...armReference().components.slice(1)] }),
  ],
  ['CCA_SOFTWARE_NOT_ALLOWED', 'a component too many', references({ components: armReference().components.slice(1) })],
  [
    'CCA_SOFTWARE_NOT_ALLOWED',
    'unknown software, whatever is waived',
    { ...references({ components: armReference().components.slice(1) }), waive: ['CCA_REFERENCE_MISSING'] },
  ],
  ['CCA_CONFIGURATION_NOT_ALLOWED', 'another', references({ configuration: { value: 'c00e' } })],
  [
    'CCA_CONFIGURATION_NOT_ALLOWED',
    'in a bit that counts',
    references({ configuration: { value: '400f', mask: '800f' } }),
  ],
  ['CCA_CONFIGURATION_NOT_ALLOWED', 'longer', references({ configuration: { value: 'c00f00', mask: 'ffff00' } })],
  [
    'CCA_CONFIGURATION_NOT_ALLOWED',
    'that of another state',
    {
      section: {
        references: [
          armReference({ configuration: { value: 'ffff' } }),
          armReference({ components: [{ digests: [{ value: '99'.repeat(32) }] }], configuration: { value: 'c00f' } }),
        ],
      },
    },
  ],
  ['CCA_REALM_HASH_NOT_ALLOWED', 'another', { section: { hashAlgorithms: ['sha-512', 'sha-384'] } }],
  ['CCA_MEASUREMENT_NOT_ALLOWED', 'another', { section: { measurements: ['33'.repeat(32), '31'.repeat(48)] } }],
  [
    'CCA_REM_NOT_ALLOWED',
    'another in register 3',
    { section: { rems: { 0: ['40'.repeat(32)], 3: ['40'.repeat(32)] } } },
  ],
  ['CCA_PERSONALIZATION_NOT_ALLOWED', 'another', { section: { personalizationValues: ['72'.repeat(64)] } }],
  ['CCA_MEC_NOT_PRIVATE', 'shared', { ...second(44243, 0), section: { requirePrivateMec: true } }],
  ['CCA_MEC_NOT_PRIVATE', 'not said', { section: { requirePrivateMec: true } }],
];
