import { toBase64Url, toHex } from '@fastness/codec';
import { encodeCbor } from '@fastness/codec/cbor';
import { forgedArmDevice, psaEvidence } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import {
  armPsaProfiles,
  parseAttestationPolicy,
  toEar,
  trustworthinessOf,
  verifyEvidence,
  verifyRecordedEvidence,
  type ArmPsaClaims,
} from '../src/index.ts';
import {
  appraise,
  armPsaMeasurement,
  authenticate,
  parse,
  type AuthenticToken,
  type ParsedToken,
} from '../src/formats/arm-psa/index.ts';
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
  vendorKeys,
} from './support/arm-forge.ts';
import { pinVendor, signedCorim } from './support/arm-corims.ts';
import { codeOf } from './support/errors.ts';
import { judgePsa, nonce, preparePsa } from './support/psa-forge.ts';

const sha256 = async (bytes: Uint8Array) =>
  toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes))));

describe('a genuine PSA token', () => {
  it('yields claims', async () => {
    const { claims, waivers, policyId } = await judgePsa({
      section: {
        profiles: ['tag:psacertified.org,2023:psa#tfm'],
        instances: { allow: [instanceHex], deny: [otherHex] },
        implementationIds: [implementationHex],
        certificationReferences: ['1234567890123-12345'],
        signerIds: [0, 1, 2].map((index) => (0x50 + index).toString(16).repeat(32)),
      },
    });
    expect(claims).toMatchObject({
      tee: 'arm-psa',
      simulated: false,
      vendor: 'Arm',
      identity: { kind: 'instance-id', value: instanceHex },
      endorser: 'policy',
      debug: false,
      reportData: toHex(nonce),
      profile: 'tag:psacertified.org,2023:psa#tfm',
      implementationId: implementationHex,
      clientId: -7,
      lifecycle: { value: 0x3000, state: 'secured' },
      bootSeed: 'd4'.repeat(32),
      certificationReference: '1234567890123-12345',
      verificationService: 'https://verifier.example',
      verifiedAt: now.toISOString(),
    });
    expect((claims as ArmPsaClaims).softwareComponents).toHaveLength(3);
    expect('nonce' in claims || 'instanceId' in claims).toBe(false);
    expect(waivers).toEqual([]);
    expect(policyId).toBe('forged-tokens');
  });

  it.each(armPsaProfiles)('may follow profile %s', async (profile) => {
    expect((await judgePsa({ token: { profile } })).claims).toMatchObject({ profile, bootSeed: 'd4'.repeat(32) });
  });

  it.each([
    ['ES256', p256Keys],
    ['ES512', p521Keys],
  ])('may be signed with %s', async (_, keys) => {
    expect(await codeOf(judgePsa({ token: { keys } }))).toBe('accepted');
  });

  it.each([32, 48, 64])('may have a nonce of %i bytes, and needs all of them', async (length) => {
    const expectedReportData = nonce.subarray(0, length);
    const token = { nonce: expectedReportData };
    expect(await codeOf(judgePsa({ token, expectedReportData }))).toBe('accepted');
    expect(await codeOf(judgePsa({ token }))).toBe(length === 64 ? 'accepted' : 'PSA_NONCE_MISMATCH');
  });

  it('may leave optional claims out, add others, and write integers longer than needed', async () => {
    const left = {
      token: { claims: (claims: Map<number, unknown>) => [268, 2398, 2400].forEach((key) => claims.delete(key)) },
    };
    const { claims } = await judgePsa(left);
    expect('bootSeed' in claims || 'certificationReference' in claims || 'verificationService' in claims).toBe(false);
    const more = { token: { claims: (set: Map<number, unknown>) => void set.set(-99, ['unknown']) } };
    expect(await codeOf(judgePsa(more))).toBe('accepted');
    // The map of claims with its length, and nothing else, in two bytes instead of one.
    const longer = (payload: Uint8Array) => Uint8Array.of(0xb8, (payload[0] ?? 0) & 31, ...payload.subarray(1));
    expect(await codeOf(judgePsa({ token: { payload: longer } }))).toBe('accepted');
    const keyId = new Map([[4, Uint8Array.of(1)]]);
    expect(await codeOf(judgePsa({ token: { unprotected: keyId } }))).toBe('accepted');
  });

  it.each([
    ['any', -7],
    ['any', 7],
    ['any-non-secure', -7],
    ['any-secure', 7],
    [[5, 7], 7],
  ])('may be asked for by %j: client %i', async (clientIds, clientId) => {
    const token = { claims: (claims: Map<number, unknown>) => void claims.set(2394, clientId) };
    expect(await codeOf(judgePsa({ token, section: { clientIds } }))).toBe('accepted');
  });

  it('is in one of several states, or in a measured one', async () => {
    const other = { ...armReference(), components: [{ digests: [{ value: '99'.repeat(32) }] }] };
    expect(await codeOf(judgePsa({ section: { references: [other, armReference()] } }))).toBe('accepted');
    const terse = armReference().components.map(({ digests }) => ({ digests }));
    expect(await codeOf(judgePsa({ section: { references: [{ ...armReference(), components: terse }] } }))).toBe(
      'accepted',
    );
    const several = armReference().components.map(({ digests }) => ({
      digests: [{ algorithm: 'sha-512', value: 'aa'.repeat(64) }, ...digests],
    }));
    expect(await codeOf(judgePsa({ section: { references: [{ ...armReference(), components: several }] } }))).toBe(
      'accepted',
    );
    const { claims } = await judgePsa();
    const measured = { section: { measurements: [claims.measurement] }, without: ['references'] as const };
    expect(await codeOf(judgePsa(measured))).toBe('accepted');
  });

  it('has a measurement over all of its software, in its order', async () => {
    const components = [
      { measurement: '11'.repeat(32), type: 'BL', version: '1', signerId: '22'.repeat(32), algorithm: 'sha-256' },
      { measurement: '33'.repeat(48) },
    ];
    const bytes = (value: string, count: number) => new Uint8Array(count).fill(Number.parseInt(value, 16));
    const expected = await sha256(
      encodeCbor([
        'fastness/arm-psa/software-components/v1',
        [
          ['BL', bytes('11', 32), '1', bytes('22', 32)],
          [null, bytes('33', 48), null, null],
        ],
      ]),
    );
    expect(await armPsaMeasurement(components)).toBe(expected);
    expect(await armPsaMeasurement(components.toReversed())).not.toBe(expected);
  });

  it('may be endorsed by a signed CoRIM alone', async () => {
    const section = pinVendor;
    const without = ['keys', 'references'] as const;
    const { claims } = await judgePsa({ section, without, endorsements: async () => signedCorim() });
    expect(claims).toMatchObject({ endorser: await sha256(vendorKeys.spki) });
    // States of the policy replace those of CoRIMs for their implementation.
    const stale = {
      ...section,
      references: [{ ...armReference(), components: [{ digests: [{ value: '99'.repeat(32) }] }] }],
    };
    const code = await codeOf(judgePsa({ section: stale, without: ['keys'], endorsements: async () => signedCorim() }));
    expect(code).toBe('PSA_SOFTWARE_NOT_ALLOWED');
  });

  it('in debug state is accepted under a waiver only, and the result says so', async () => {
    const token = { claims: (claims: Map<number, unknown>) => void claims.set(2395, 0x40ff) };
    const verdict = await judgePsa({ token, waive: ['PSA_DEBUG'] });
    expect(verdict.claims.debug).toBe(true);
    expect(verdict.waivers).toMatchObject([{ check: 'PSA_DEBUG', actual: 'non-rot-debug' }]);
    expect(trustworthinessOf(verdict)).toMatchObject({ configuration: 96, executables: 96, 'runtime-opaque': 96 });
    expect((await judgePsa({ waive: ['PSA_DEBUG'] })).waivers).toEqual([]);
  });

  it('becomes an attestation result that claims nothing about memory', async () => {
    const options = await preparePsa();
    const verdict = await verifyEvidence(options);
    const ear = toEar(verdict, {
      verifierId: { developer: 'https://example.org', build: '1' },
      policyId: 'p',
      nonce,
      issuedAt: now,
      rawEvidence: options.evidence,
    });
    expect(ear.ear_status).toBe('affirming');
    expect(trustworthinessOf(verdict)).toEqual({
      'instance-identity': 2,
      configuration: 2,
      executables: 3,
      hardware: 2,
    });
  });

  it('can be looked at later without its session', async () => {
    const { expectedReportData: _, ...options } = await preparePsa();
    const { claims } = await verifyRecordedEvidence({ ...options, reason: 'an audit' });
    expect(claims).toMatchObject({ reportData: toHex(nonce) });
  });
});

describe('a PSA policy', () => {
  const parsePolicy = (section: object) =>
    parseAttestationPolicy({ version: 1, id: 'p', armPsa: section, waivers: [] });
  const sound = { keys: [armKey(deviceKeys)], clientIds: 'any', references: [armReference()] };

  it.each([
    ['nobody who could endorse a device', { clientIds: 'any' }],
    ['an empty list of keys', { ...sound, keys: [] }],
    ['a key twice', { ...sound, keys: [armKey(deviceKeys), armKey(deviceKeys)] }],
    ['a key that is none', { ...sound, keys: [armKey(deviceKeys, { publicKey: 'AAAA' })] }],
    ['a key in base64', { ...sound, keys: [armKey(deviceKeys, { publicKey: `${armKey(deviceKeys).publicKey}=` })] }],
    ['an instance id of another kind', { ...sound, keys: [armKey(deviceKeys, { instanceId: '02'.repeat(33) })] }],
    ['no client ids', { keys: sound.keys }],
    ['client 0', { ...sound, clientIds: [0] }],
    ['a state without components', { ...sound, references: [armReference({ components: [] })] }],
    ['a component without digests', { ...sound, references: [armReference({ components: [{ digests: [] }] })] }],
    ['an unknown profile', { ...sound, profiles: ['tag:psacertified.org,2023:psa#aes-mac'] }],
    ['an unknown field', { ...sound, lifecycle: 'any' }],
    ['17 signers', { ...sound, corimSigners: Array.from({ length: 17 }, () => toBase64Url(deviceKeys.spki)) }],
  ])('is refused with %s', async (_, section) => {
    expect(await codeOf(() => parsePolicy(section))).toBe('ATTEST_POLICY_INVALID');
  });

  it('must be there and filled in', async () => {
    const options = await preparePsa();
    const nitro = { version: 1, id: 'p', nitro: { measurements: ['00'.repeat(48)] }, waivers: [] };
    const code = await codeOf(verifyEvidence({ ...options, policy: parseAttestationPolicy(nitro) }));
    expect(code).toBe('ATTEST_TEE_NOT_ALLOWED');
    const open = parsePolicy({ ...sound, measurements: 'from-release' });
    expect(await codeOf(verifyEvidence({ ...options, policy: open }))).toBe('ATTEST_POLICY_INCOMPLETE');
    const authentic = await authenticate(parse(options.evidence), options);
    expect(await codeOf(appraise(authentic, { ...options, policy: open }))).toBe('ATTEST_POLICY_INCOMPLETE');
  });
});

describe('the stages of PSA', () => {
  it('cannot be skipped', async () => {
    const options = await preparePsa();
    const parsed = parse(options.evidence);
    // @ts-expect-error a parsed token is not an authentic one
    expect(await codeOf(appraise(parsed, options))).toBe('ATTEST_STAGE_SKIPPED');
    const copied = Object.assign(Object.create(null), parsed) as ParsedToken;
    expect(await codeOf(authenticate(copied, options))).toBe('ATTEST_STAGE_SKIPPED');
    const faked = Object.assign(Object.create(null), parsed, { at: 0, waivers: [], references: [] }) as AuthenticToken;
    expect(await codeOf(appraise(faked, options))).toBe('ATTEST_STAGE_SKIPPED');
  });

  it('take no other nonce lengths and no other evidence', async () => {
    const options = await preparePsa();
    for (const length of [0, 16, 33, 65]) {
      const expectedReportData = new Uint8Array(length);
      expect(await codeOf(verifyEvidence({ ...options, expectedReportData }))).toBe('ATTEST_ARGUMENT_INVALID');
    }
    expect(await codeOf(() => parse({ type: 'application/eat+cwt', value: new Uint8Array(9) }))).toBe(
      'ATTEST_EVIDENCE_UNSUPPORTED',
    );
    const stray = { ...options, endorsements: [psaEvidence(forgedArmDevice.instanceId)] };
    expect(await codeOf(verifyEvidence(stray))).toBe('ATTEST_ENDORSEMENT_UNSUPPORTED');
    expect(await codeOf(authenticate(parse(options.evidence), stray))).toBe('ATTEST_ENDORSEMENT_UNSUPPORTED');
  });
});
