import { toHex } from '@fastness/codec';
import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { ccaEvidence, forgedRealm, realmPublicKey } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import {
  parseAttestationPolicy,
  reportDataOf,
  toEar,
  trustworthinessOf,
  verifyEvidence,
  verifyRecordedEvidence,
  withMeasurements,
} from '../src/index.ts';
import { importCorim } from '../src/corim/index.ts';
import {
  appraise,
  armCcaProfiles,
  authenticate,
  parse,
  type AuthenticToken,
  type ParsedToken,
} from '../src/formats/arm-cca/index.ts';
import {
  armKey,
  armReference,
  deviceKeys,
  implementationHex,
  instanceHex,
  now,
  otherHex,
  p256Keys,
  p521Keys,
  realmKeys,
} from './support/arm-forge.ts';
import { deviceCorim, pinVendor, PLATFORM, signedCorim } from './support/arm-corims.ts';
import { codeOf } from './support/errors.ts';
import { challenge, judgeCca, prepareCca, rimHex } from './support/cca-forge.ts';

const V2 = 'tag:arm.com,2024:cca_platform#2.0.0';
const remHex = forgedRealm.rems.map((rem) => toHex(rem));

describe('a genuine CCA token', () => {
  it('yields claims', async () => {
    const { claims, waivers, policyId } = await judgeCca({
      section: {
        rems: { 0: [remHex[0]], 3: ['00'.repeat(32), remHex[3]] },
        personalizationValues: ['71'.repeat(64)],
        hashAlgorithms: ['sha-256'],
        instances: { allow: [instanceHex], deny: [otherHex] },
        implementationIds: [implementationHex],
      },
    });
    expect(claims).toEqual({
      tee: 'arm-cca',
      simulated: false,
      vendor: 'Arm',
      identity: { kind: 'instance-id', value: instanceHex },
      endorser: 'policy',
      measurement: rimHex,
      debug: false,
      reportData: toHex(challenge),
      platformProfile: 'tag:arm.com,2023:cca_platform#1.0.0',
      realmProfile: 'tag:arm.com,2023:realm#1.0.0',
      implementationId: implementationHex,
      lifecycle: { value: 0x3000, state: 'secured' },
      configuration: 'c00f',
      softwareComponents: expect.any(Array) as unknown,
      verificationService: 'https://verifier.example',
      personalizationValue: '71'.repeat(64),
      hashAlgorithm: 'sha-256',
      rems: remHex,
      verifiedAt: now.toISOString(),
    });
    expect(JSON.parse(JSON.stringify(claims))).toEqual(claims);
    expect(waivers).toEqual([]);
    expect(policyId).toBe('forged-tokens');
  });

  it.each(
    [...armCcaProfiles].flatMap(([profile, { realms }]) => realms.map((each) => [profile, each.profile] as const)),
  )('may follow profile %s with %s', async (platformProfile, realmProfile) => {
    const { claims } = await judgeCca({ token: { platformProfile, realmProfile: realmProfile ?? null } });
    expect(claims).toMatchObject({ platformProfile });
    expect('realmProfile' in claims).toBe(realmProfile !== undefined);
  });

  it('of RMM 2.0 says how its memory is encrypted, and more', async () => {
    const realm = (claims: Map<number, CborValue>) => {
      claims.set(256, Uint8Array.of(0x01, ...new Uint8Array(32)));
      claims.set(44244, 1);
      claims.set(44257, new Uint8Array(32));
    };
    const verdict = await judgeCca({ token: { platformProfile: V2, realm }, section: { requirePrivateMec: true } });
    expect(verdict.claims).toMatchObject({
      memoryEncryption: 'private',
      liveFirmwareActivation: true,
      realmInstanceId: `01${'00'.repeat(32)}`,
      devicesHash: '00'.repeat(32),
    });
    expect(verdict.claims).toMatchObject({ platformExtended: false });
    const platform = (claims: Map<number, CborValue>) => void claims.set(2404, [new Map()]);
    const allowed = { allowPlatformExtensions: true };
    const extended = await judgeCca({ token: { platformProfile: V2, platform }, section: allowed });
    expect(extended.claims).toMatchObject({ platformExtended: true });
    const text = (claims: Map<number, CborValue>) => void claims.set(44243, 'shared');
    const shared = await judgeCca({ token: { platformProfile: V2, realm: text } });
    expect(shared.claims).toMatchObject({ memoryEncryption: 'shared' });
  });

  it('may come as a CMW collection, with a type of its own', async () => {
    expect(await codeOf(judgeCca({ token: { tag: 907 } }))).toBe('accepted');
    const collection = (members: Map<number | string, CborValue>) => {
      members.set('__cmwc_t', 'tag:example.org,2026:collection');
      const record = members.get(44234);
      members.set(44234, ['application/eat+cwt', ...(record as CborValue[]).slice(1), 4]);
    };
    expect(await codeOf(judgeCca({ token: { tag: 907, collection } }))).toBe('accepted');
  });

  it.each([
    ['ES256', p256Keys],
    ['ES512', p521Keys],
  ])('may be signed with %s, platform and realm', async (_, keys) => {
    expect(await codeOf(judgeCca({ token: { platformKeys: keys } }))).toBe('accepted');
    expect(await codeOf(judgeCca({ token: { realmKeys: keys } }))).toBe('accepted');
    expect(await codeOf(judgeCca({ token: { realmKeys: keys, realmProfile: null } }))).toBe('accepted');
  });

  it('may say more about its key, and hash it otherwise', async () => {
    const [x, y] = [
      realmPublicKey(realmKeys, 'point').subarray(1, 49),
      realmPublicKey(realmKeys, 'point').subarray(49),
    ];
    const key = new Map<number, CborValue>([
      [1, 2],
      [2, Uint8Array.of(1)],
      [3, -35],
      [4, [1, 2]],
      [-1, 2],
      [-2, x],
      [-3, y],
    ]);
    const realm = (claims: Map<number, CborValue>) => void claims.set(44237, encodeCbor(key));
    expect(await codeOf(judgeCca({ token: { realm } }))).toBe('accepted');
    const bound = new Uint8Array(await crypto.subtle.digest('SHA-512', new Uint8Array(realmPublicKey(realmKeys))));
    const hashed = (claims: Map<number, CborValue>) => void claims.set(44240, 'sha-512');
    expect(await codeOf(judgeCca({ token: { realm: hashed, bound } }))).toBe('accepted');
  });

  it('is in a state whose configuration matches in the bits that count', async () => {
    const masked = armReference({ configuration: { value: '400e', mask: '7ff0' } });
    expect(await codeOf(judgeCca({ section: { references: [masked] } }))).toBe('accepted');
    const other = armReference({ configuration: { value: 'ffff' } });
    expect(await codeOf(judgeCca({ section: { references: [other, masked] } }))).toBe('accepted');
    expect(await codeOf(judgeCca({ section: { references: [armReference()] } }))).toBe('accepted');
  });

  it('may be endorsed by a signed CoRIM alone', async () => {
    const without = ['keys', 'references'] as const;
    const endorsements = async () => signedCorim(PLATFORM);
    const { claims } = await judgeCca({ section: pinVendor, without, endorsements });
    expect(claims).toMatchObject({ endorser: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown });
  });

  it('may rest on a CoRIM that the caller put into the policy', async () => {
    const imported = await importCorim({ corim: deviceCorim(PLATFORM), unsigned: 'caller', now });
    const { claims } = await judgeCca({ section: imported.sections.armCca ?? {} });
    expect(claims).toMatchObject({ endorser: 'policy' });
  });

  it('without reference values is accepted under a waiver only, and the result warns', async () => {
    const verdict = await judgeCca({ without: ['references'], waive: ['CCA_REFERENCE_MISSING'] });
    expect(verdict.waivers).toMatchObject([{ check: 'CCA_REFERENCE_MISSING', actual: '0 states' }]);
    expect(trustworthinessOf(verdict)).toMatchObject({ executables: 32, hardware: 32, 'runtime-opaque': 32 });
    expect((await judgeCca({ waive: ['CCA_REFERENCE_MISSING'] })).waivers).toEqual([]);
  });

  it('in debug state is accepted under a waiver only, and the result says so', async () => {
    const platform = (claims: Map<number, CborValue>) => void claims.set(2395, 0x4000);
    const verdict = await judgeCca({ token: { platform }, waive: ['CCA_DEBUG'] });
    expect(verdict.claims.debug).toBe(true);
    expect(verdict.waivers).toMatchObject([{ check: 'CCA_DEBUG', actual: 'non-rot-debug' }]);
    expect(trustworthinessOf(verdict)).toMatchObject({ configuration: 96, executables: 96, 'runtime-opaque': 96 });
  });

  it('becomes an attestation result', async () => {
    const options = await prepareCca();
    const verdict = await verifyEvidence(options);
    const ear = toEar(verdict, {
      verifierId: { developer: 'https://example.org', build: '1' },
      policyId: 'p',
      nonce: challenge,
      issuedAt: now,
      rawEvidence: options.evidence,
    });
    expect(ear.ear_status).toBe('affirming');
    expect(ear.submods['cpu0']?.ear_trustworthiness_vector).toMatchObject({ executables: 3, 'runtime-opaque': 2 });
  });

  it('is bound to a session', async () => {
    const bytes = (value: number) => new Uint8Array(32).fill(value);
    const session = { purpose: 'client', nonce: bytes(1), keyConfigDigest: bytes(2), releaseDigest: bytes(3) } as const;
    const bound = await reportDataOf({ ...session, deviceEvidenceDigest: null });
    const { expectedReportData: _, ...options } = await prepareCca({ token: { challenge: bound } });
    expect(await codeOf(verifyEvidence({ ...options, session }))).toBe('accepted');
    const other = { ...session, releaseDigest: bytes(4) };
    expect(await codeOf(verifyEvidence({ ...options, session: other }))).toBe('CCA_CHALLENGE_MISMATCH');
  });

  it('can be looked at later without its session', async () => {
    const { expectedReportData: _, ...options } = await prepareCca();
    const { claims } = await verifyRecordedEvidence({ ...options, reason: 'an audit' });
    expect(claims).toMatchObject({ reportData: toHex(challenge) });
  });
});

describe('a CCA policy', () => {
  const parsePolicy = (section: object) =>
    parseAttestationPolicy({ version: 1, id: 'p', armCca: section, waivers: [] });
  const sound = { keys: [armKey(deviceKeys)], measurements: [rimHex], references: [armReference()] };

  it.each([
    ['no measurements', { keys: sound.keys }],
    ['nobody who could endorse a platform', { measurements: [rimHex] }],
    ['a short measurement', { ...sound, measurements: ['00'] }],
    ['register 4', { ...sound, rems: { 4: [rimHex] } }],
    ['an empty list for a register', { ...sound, rems: { 1: [] } }],
    [
      'a mask of another length',
      { ...sound, references: [armReference({ configuration: { value: '00', mask: '0000' } })] },
    ],
    ['a short personalization value', { ...sound, personalizationValues: [rimHex] }],
    ['an unknown hash', { ...sound, hashAlgorithms: ['sha-1'] }],
    ['an unknown field', { ...sound, lifecycle: 'any' }],
  ])('is refused with %s', async (_, section) => {
    expect(await codeOf(() => parsePolicy(section))).toBe('ATTEST_POLICY_INVALID');
  });

  it('is filled in from a release', async () => {
    const options = await prepareCca();
    const open = parsePolicy({ ...sound, measurements: 'from-release' });
    expect(await codeOf(verifyEvidence({ ...options, policy: open }))).toBe('ATTEST_POLICY_INCOMPLETE');
    const authentic = await authenticate(parse(options.evidence), options);
    expect(await codeOf(() => appraise(authentic, { ...options, policy: open }))).toBe('ATTEST_POLICY_INCOMPLETE');
    const filled = withMeasurements(open, [rimHex], 'arm-cca');
    expect(await codeOf(verifyEvidence({ ...options, policy: filled }))).toBe('accepted');
  });
});

describe('the stages of CCA', () => {
  it('cannot be skipped', async () => {
    const options = await prepareCca();
    const parsed = parse(options.evidence);
    // @ts-expect-error a parsed token is not an authentic one
    expect(await codeOf(() => appraise(parsed, options))).toBe('ATTEST_STAGE_SKIPPED');
    const copied = Object.assign(Object.create(null), parsed) as ParsedToken;
    expect(await codeOf(authenticate(copied, options))).toBe('ATTEST_STAGE_SKIPPED');
    const faked = Object.assign(Object.create(null), parsed, { at: 0, waivers: [], references: [] }) as AuthenticToken;
    expect(await codeOf(() => appraise(faked, options))).toBe('ATTEST_STAGE_SKIPPED');
  });

  it('take no other challenge lengths and no other evidence', async () => {
    const options = await prepareCca();
    for (const length of [0, 32, 48, 65]) {
      const expectedReportData = new Uint8Array(length);
      expect(await codeOf(verifyEvidence({ ...options, expectedReportData }))).toBe('ATTEST_ARGUMENT_INVALID');
    }
    const other = { type: 'application/eat+cwt', value: new Uint8Array(9) };
    expect(await codeOf(() => parse(other))).toBe('ATTEST_EVIDENCE_UNSUPPORTED');
    const stray = { ...options, endorsements: [ccaEvidence(new Uint8Array(1))] };
    expect(await codeOf(verifyEvidence(stray))).toBe('ATTEST_ENDORSEMENT_UNSUPPORTED');
  });
});
