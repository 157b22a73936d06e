import { concatBytes } from '@fastness/codec';
import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import { armKeyTriple, corimEndorsement, forgedArmDevice } from '@fastness/testkit';
import { armKey, armReference, deviceKeys, otherHex, p256Keys, strangerKeys } from './arm-forge.ts';
import { deviceCorim, pinVendor, PLATFORM, signedCorim } from './arm-corims.ts';
import { nonce, type PsaScenario } from './psa-forge.ts';

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type PsaFailure = readonly [code: ErrorCode, what: string, scenario: PsaScenario];

const claim = (key: number, value: CborValue): PsaScenario => ({
  token: { claims: (claims) => void claims.set(key, value) },
});
const without = (key: number): PsaScenario => ({ token: { claims: (claims) => void claims.delete(key) } });
const component = (...entries: readonly (readonly [number, CborValue])[]): PsaScenario =>
  claim(2399, [new Map(entries)]);
const hash = new Uint8Array(32);
const FIRST = 'PSA_IOT_PROFILE_1';
const first = (edit: (claims: Map<number, CborValue>) => void): PsaScenario => ({
  token: { profile: FIRST, claims: edit },
});

export const tokenFailures: readonly PsaFailure[] = [
  ['PSA_TOKEN_SIZE', 'no bytes', { bytes: () => new Uint8Array() }],
  ['PSA_TOKEN_SIZE', 'too many bytes', { bytes: () => new Uint8Array(16_385) }],
  ['PSA_MAC0', 'a COSE_Mac0', { bytes: (bytes) => concatBytes(Uint8Array.of(0xd1), bytes.subarray(1)) }],
  ['PSA_TAG', 'no tag', { token: { tagged: false } }],
  ['PSA_TAG', 'another tag', { bytes: (bytes) => concatBytes(Uint8Array.of(0xd3), bytes.subarray(1)) }],
  ['PSA_ALGORITHM', 'Ed25519', { token: { protectedHeader: new Map([[1, -19]]) } }],
  ['PSA_ALGORITHM', 'an algorithm nobody knows', { token: { protectedHeader: new Map([[1, -99]]) } }],
  ['PSA_HEADER', 'a certificate chain', { token: { unprotected: new Map([[33, new Uint8Array(9)]]) } }],
  [
    'PSA_HEADER',
    'a certificate chain, protected',
    {
      token: {
        protectedHeader: new Map<number, CborValue>([
          [1, -35],
          [33, new Uint8Array(9)],
        ]),
      },
    },
  ],
  ['PSA_PAYLOAD', 'a detached payload', { token: { detached: true } }],
  ['PSA_PAYLOAD', 'a list', { token: { payload: () => encodeCbor([1]) } }],
  ['PSA_PAYLOAD', 'nothing', { token: { payload: () => new Uint8Array() } }],
  ['CODEC_TRAILING', 'a byte after the token', { bytes: (bytes) => concatBytes(bytes, new Uint8Array(1)) }],
  [
    'CODEC_TRAILING',
    'a byte after the claims',
    { token: { payload: (bytes) => concatBytes(bytes, new Uint8Array(1)) } },
  ],
  [
    'CODEC_NOT_CANONICAL',
    'claims without a length',
    { token: { payload: (bytes) => concatBytes(Uint8Array.of(0xbf), bytes.subarray(1), Uint8Array.of(0xff)) } },
  ],
  ['PSA_PROFILE', 'none', without(265)],
  ['PSA_PROFILE', 'another', claim(265, 'tag:psacertified.org,2023:psa#aes-mac')],
  ['PSA_PROFILE', 'two', claim(-75000, FIRST)],
  ['PSA_PROFILE', 'the first under the key of the current one', claim(265, FIRST)],
  ...[10, 256, 2396, 2394, 2395, 2399].map((key): PsaFailure => ['PSA_CLAIM_MISSING', `claim ${key}`, without(key)]),
  ['PSA_CLAIM_MISSING', 'the boot seed of the first profile', first((claims) => void claims.delete(-75004))],
  ['PSA_NONCE_MULTIPLE', 'two', claim(10, [nonce, nonce])],
  ['PSA_NONCE_MULTIPLE', 'one in a list', claim(10, [nonce])],
  ['PSA_NONCE', '31 bytes', claim(10, new Uint8Array(31))],
  ['PSA_NONCE', '65 bytes', claim(10, new Uint8Array(65))],
  ['PSA_NONCE', 'text', claim(10, 'x'.repeat(64))],
  ['PSA_INSTANCE_ID', '32 bytes', claim(256, forgedArmDevice.instanceId.subarray(1))],
  ['PSA_INSTANCE_ID', 'of another kind', claim(256, Uint8Array.of(0x02, ...new Uint8Array(32)))],
  ['PSA_IMPLEMENTATION_ID', '31 bytes', claim(2396, new Uint8Array(31))],
  ['PSA_IMPLEMENTATION_ID', 'text', claim(2396, 'acme')],
  ['PSA_LIFECYCLE_VALUE', 'between states', claim(2395, 0x3100)],
  ['PSA_LIFECYCLE_VALUE', 'above all states', claim(2395, 0x7000)],
  ['PSA_LIFECYCLE_VALUE', 'negative', claim(2395, -1)],
  ['PSA_LIFECYCLE_VALUE', 'more than 16 bits', claim(2395, 0x1_3000)],
  ['PSA_LIFECYCLE_VALUE', 'text', claim(2395, 'secured')],
  ['PSA_CLIENT_ID', 'zero', claim(2394, 0)],
  ['PSA_CLIENT_ID', 'more than 32 bits', claim(2394, 2 ** 31)],
  ['PSA_CLIENT_ID', 'less than 32 bits', claim(2394, -(2 ** 31) - 1)],
  ['PSA_BOOT_SEED', '7 bytes', claim(268, new Uint8Array(7))],
  ['PSA_BOOT_SEED', '33 bytes', claim(268, new Uint8Array(33))],
  ['PSA_BOOT_SEED', '31 bytes in the first profile', first((claims) => void claims.set(-75004, new Uint8Array(31)))],
  ['PSA_CERTIFICATION_REFERENCE', 'without its version', claim(2398, '1234567890123')],
  ['PSA_CERTIFICATION_REFERENCE', 'letters', claim(2398, '1234567890123-1234x')],
  ['PSA_CERTIFICATION_REFERENCE', 'a number', claim(2398, 1234)],
  ['PSA_SOFTWARE_COMPONENTS', 'none', claim(2399, [])],
  ['PSA_SOFTWARE_COMPONENTS', 'no list', claim(2399, new Map())],
  ['PSA_SOFTWARE_COMPONENTS', 'no map in it', claim(2399, [hash])],
  ['PSA_SOFTWARE_COMPONENTS', 'without a measurement', component([1, 'BL'], [5, hash])],
  ['PSA_SOFTWARE_COMPONENTS', 'a short measurement', component([2, new Uint8Array(20)], [5, hash])],
  ['PSA_SOFTWARE_COMPONENTS', 'a short signer', component([2, hash], [5, new Uint8Array(20)])],
  ['PSA_SOFTWARE_COMPONENTS', 'a version that is no text', component([2, hash], [4, 1], [5, hash])],
  [
    'PSA_SOFTWARE_COMPONENTS',
    '65 of them',
    claim(
      2399,
      Array.from({ length: 65 }, () => new Map([[2, hash]])),
    ),
  ],
  ['PSA_SOFTWARE_COMPONENTS', 'said not to be measured', first((claims) => void claims.set(-75007, 1))],
  ['PSA_VERIFICATION_SERVICE', 'empty', claim(2400, '')],
  ['PSA_VERIFICATION_SERVICE', 'bytes', claim(2400, hash)],
];

const otherImplementation = '22'.repeat(32);
const endorsed = (keys: readonly object[]): PsaScenario => ({ section: { keys } });

export const authenticityFailures: readonly PsaFailure[] = [
  ['PSA_KEY_UNKNOWN', 'only another device is listed', endorsed([armKey(deviceKeys, { instanceId: otherHex })])],
  ['PSA_KEY_UNKNOWN', 'a signer is listed, and no CoRIM came', { section: pinVendor, without: ['keys'] }],
  [
    'PSA_IMPLEMENTATION_MISMATCH',
    'listed for another implementation',
    endorsed([armKey(deviceKeys, { implementationId: otherImplementation })]),
  ],
  ['PSA_KEY_AMBIGUOUS', 'listed with two keys', endorsed([armKey(deviceKeys), armKey(strangerKeys)])],
  [
    'PSA_KEY_AMBIGUOUS',
    'endorsed with two keys by two CoRIMs',
    {
      section: pinVendor,
      without: ['keys'],
      endorsements: async () => [
        ...(await signedCorim()),
        ...(await signedCorim(undefined, { corim: { triples: { 3: [armKeyTriple(strangerKeys)] } } })),
      ],
    },
  ],
  ['PSA_KEY_TYPE', 'a key on another curve', endorsed([armKey(p256Keys)])],
  ['PSA_SIGNATURE', 'signed by another key', { token: { signWith: strangerKeys } }],
  ['PSA_SIGNATURE', 'another key listed', endorsed([armKey(strangerKeys)])],
  [
    'PSA_SIGNATURE',
    'a signature of another length',
    { token: { protectedHeader: new Map([[1, -35]]), signWith: p256Keys } },
  ],
  [
    'PSA_SIGNATURE',
    'the key of the policy counts, whatever a CoRIM says',
    {
      section: { ...pinVendor, keys: [armKey(strangerKeys)] },
      endorsements: async () => signedCorim(),
    },
  ],
  [
    'CORIM_UNSIGNED',
    'an unsigned CoRIM',
    { section: pinVendor, endorsements: async () => [corimEndorsement(deviceCorim(), false)] },
  ],
  ['CORIM_SIGNATURE', 'a CoRIM, and no signer is listed', { endorsements: async () => signedCorim() }],
  [
    'CORIM_SIGNATURE',
    'a CoRIM that another key signed',
    { section: pinVendor, endorsements: async () => signedCorim(undefined, { sign: { signWith: strangerKeys } }) },
  ],
  [
    'CORIM_PROFILE_UNEXPECTED',
    'a CoRIM of CCA platforms',
    { section: pinVendor, endorsements: async () => signedCorim(PLATFORM) },
  ],
  [
    'ATTEST_ENDORSEMENT_MALFORMED',
    'nine CoRIMs',
    {
      section: pinVendor,
      endorsements: async () => {
        const [one] = await signedCorim();
        return one === undefined ? [] : Array.from({ length: 9 }, () => one);
      },
    },
  ],
];

const state = (value: number): PsaScenario => claim(2395, value);

export const appraisalFailures: readonly PsaFailure[] = [
  [
    'PSA_NONCE_MISMATCH',
    'another',
    { expectedReportData: nonce.map((byte, index) => (index === 63 ? byte ^ 1 : byte)) },
  ],
  ['PSA_NONCE_MISMATCH', 'shorter', { expectedReportData: nonce.subarray(0, 32) }],
  ['PSA_PROFILE_NOT_ALLOWED', 'a listed other', { section: { profiles: [FIRST] } }],
  ['PSA_LIFECYCLE', 'unknown', state(0x0000)],
  ['PSA_LIFECYCLE', 'assembly and test', state(0x1000)],
  ['PSA_LIFECYCLE', 'provisioning', state(0x20ff)],
  ['PSA_LIFECYCLE', 'recoverable debugging of the root of trust', { ...state(0x5000), waive: ['PSA_DEBUG'] }],
  ['PSA_LIFECYCLE', 'decommissioned', state(0x6000)],
  ['PSA_DEBUG', 'debugging outside the root of trust', state(0x4001)],
  ['PSA_CLIENT_NOT_ALLOWED', 'another', { section: { clientIds: [-8, 7] } }],
  ['PSA_CLIENT_NOT_ALLOWED', 'a caller outside', { section: { clientIds: 'any-secure' } }],
  ['PSA_CLIENT_NOT_ALLOWED', 'a caller inside', { ...claim(2394, 7), section: { clientIds: 'any-non-secure' } }],
  ['PSA_IMPLEMENTATION_NOT_ALLOWED', 'not listed', { section: { implementationIds: [otherImplementation] } }],
  ['PSA_INSTANCE_NOT_ALLOWED', 'not listed', { section: { instances: { allow: [otherHex] } } }],
  ['PSA_INSTANCE_DENIED', 'listed', { section: { instances: { deny: [armKey(deviceKeys).instanceId] } } }],
  ['PSA_CERTIFICATION_NOT_ALLOWED', 'another', { section: { certificationReferences: ['1234567890123-54321'] } }],
  [
    'PSA_CERTIFICATION_NOT_ALLOWED',
    'none',
    { ...without(2398), section: { certificationReferences: ['1234567890123-12345'] } },
  ],
  [
    'PSA_SIGNER_NOT_ALLOWED',
    'one component by another',
    { section: { signerIds: ['50'.repeat(32), '51'.repeat(32)] } },
  ],
  [
    'PSA_SIGNER_NOT_ALLOWED',
    'a component without a signer',
    { ...component([2, hash]), section: { signerIds: ['50'.repeat(32)], references: [unsignedState()] } },
  ],
  ['PSA_REFERENCE_MISSING', 'no references at all', { without: ['references'] }],
  [
    'PSA_REFERENCE_MISSING',
    'references of another implementation',
    { section: { references: [armReference({ implementationId: otherImplementation })] } },
  ],
  ['PSA_SOFTWARE_NOT_ALLOWED', 'another measurement', { section: { references: [changed('digests')] } }],
  ['PSA_SOFTWARE_NOT_ALLOWED', 'another signer', { section: { references: [changed('signerId')] } }],
  ['PSA_SOFTWARE_NOT_ALLOWED', 'another version', { section: { references: [changed('version')] } }],
  ['PSA_SOFTWARE_NOT_ALLOWED', 'another role', { section: { references: [changed('type')] } }],
  ['PSA_SOFTWARE_NOT_ALLOWED', 'another algorithm', { section: { references: [changed('algorithm')] } }],
  [
    'PSA_SOFTWARE_NOT_ALLOWED',
    'a component less than the state',
    { token: { claims: (claims) => void claims.set(2399, (claims.get(2399) as CborValue[]).slice(1)) } },
  ],
  [
    'PSA_SOFTWARE_NOT_ALLOWED',
    'a component more than the state',
    { section: { references: [armReference({ components: armReference().components.slice(1) })] } },
  ],
  [
    'PSA_SOFTWARE_NOT_ALLOWED',
    'components of two states',
    {
      section: {
        references: [0, 1].map((skipped) =>
          armReference({ components: armReference().components.filter((_, index) => index !== skipped) }),
        ),
      },
    },
  ],
  ['PSA_MEASUREMENT_NOT_ALLOWED', 'another', { section: { measurements: ['33'.repeat(32)] } }],
  [
    'PSA_MEASUREMENT_NOT_ALLOWED',
    'another, alone',
    { section: { measurements: ['33'.repeat(32)] }, without: ['references'] },
  ],
];

/** The state of a token with one component that names nothing but its measurement. */
function unsignedState(): object {
  return armReference({ components: [{ digests: [{ value: '00'.repeat(32) }] }] });
}

/** The state of forged tokens with one attribute of one component changed. */
function changed(attribute: 'digests' | 'signerId' | 'version' | 'type' | 'algorithm'): object {
  const [one, ...others] = armReference().components;
  const [digest] = one?.digests ?? [];
  const other = {
    digests: { digests: [{ value: 'ff'.repeat(32) }] },
    signerId: { signerId: 'ff'.repeat(32) },
    version: { version: '9' },
    type: { type: 'App' },
    algorithm: { digests: [{ ...digest, algorithm: 'sha-384' }] },
  }[attribute];
  return { ...armReference(), components: [{ ...one, ...other }, ...others] };
}
