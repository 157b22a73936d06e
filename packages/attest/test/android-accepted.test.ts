import { toHex } from '@fastness/codec';
import { der } from '@fastness/codec/der';
import { webCryptoVerifier, type SignatureVerifier } from '@fastness/codec/x509';
import { androidTags as tags, forgeAndroidStatus, hardwareProperties, rootOfTrust } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import {
  parseAttestationPolicy,
  reportDataFor,
  toEar,
  trustworthinessOf,
  VerificationCache,
  verifyEvidence,
} from '../src/index.ts';
import { appraise, authenticate, parse, type AuthenticKey, type ParsedKey } from '../src/formats/android-key/index.ts';
import {
  after,
  androidAnchorsOf,
  challenge,
  judgeAndroid,
  now,
  prepareAndroid,
  sent,
  type AndroidScenario,
} from './support/android-forge.ts';
import { codeOf } from './support/errors.ts';

const sha256 = async (bytes: Uint8Array) =>
  toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));

describe('a genuine Android attestation', () => {
  it('yields claims', async () => {
    const { chain, ...options } = await prepareAndroid();
    const { claims, waivers, policyId } = await verifyEvidence(options);
    expect(claims).toMatchObject({
      tee: 'android-key',
      simulated: false,
      vendor: 'Google',
      identity: { kind: 'attestation-key', value: await sha256(chain.keys.attestation.spki) },
      measurement: 'b1'.repeat(32),
      debug: false,
      reportData: toHex(challenge),
      attestationVersion: 300,
      attestationSecurityLevel: 'trusted-environment',
      publicKey: toHex(chain.keys.leaf.spki),
      key: { algorithm: 'ec', purposes: ['sign'], origin: 'generated', size: 256, userAuthentication: false },
      boot: { locked: true, state: 'verified', key: 'b0'.repeat(32) },
      patch: { osVersion: 160_000, osPatchLevel: 202_605 },
      application: { packages: [{ name: 'com.example.wallet', version: 42 }], signers: ['b2'.repeat(32)] },
      ids: { brand: 'forged' },
      certificatesIssued: 3,
      verifiedAt: now.toISOString(),
    });
    expect('otherTags' in claims && claims.otherTags).toEqual([701, 5]);
    expect(waivers).toEqual([]);
    expect(policyId).toBe('forged-attestations');
  });

  it.each([1, 2, 3, 4, 100, 200, 300, 400, 500])('may be of version %d', async (version) => {
    const hash = version < 3 ? { hardware: hardwareProperties(rootOfTrust({ hash: null })) } : {};
    expect(await codeOf(judgeAndroid({ description: { version, ...hash } }))).toBe('accepted');
  });

  it('meets a narrow policy', async () => {
    const section = {
      securityLevels: ['strongbox'],
      measurements: ['b1'.repeat(32)],
      verifiedBootKeys: ['b0'.repeat(32)],
      minimumVersion: 300,
      minimumPatch: {
        osVersion: 160_000,
        osPatchLevel: 202_605,
        vendorPatchLevel: 20_260_505,
        bootPatchLevel: 20_260_505,
      },
      algorithms: ['ec'],
      purposes: ['sign'],
      applications: [{ package: 'com.example.wallet', signers: ['b2'.repeat(32)], minimumVersion: 42 }],
      ids: { brand: ['forged'] },
      provisioning: 'remote',
    };
    const description = { attestationLevel: 2, keyMintLevel: 2 };
    expect(await codeOf(judgeAndroid({ section, description }))).toBe('accepted');
    const guarded: AndroidScenario = {
      section: { userAuthentication: 'required' },
      hardware: [[tags.noAuthRequired, null]],
    };
    expect(await codeOf(judgeAndroid(guarded))).toBe('accepted');
  });

  it('may be of an imported key, a system of its owner, or an old device, where the policy says so', async () => {
    const imported: AndroidScenario = { hardware: [[tags.origin, der.integer(2)]], section: { origin: 'any' } };
    expect(await codeOf(judgeAndroid(imported))).toBe('accepted');
    const own: AndroidScenario = {
      hardware: [rootOfTrust({ state: 1 })],
      section: { bootStates: ['verified', 'self-signed'], verifiedBootKeys: ['b0'.repeat(32)] },
    };
    expect(await codeOf(judgeAndroid(own))).toBe('accepted');
    const old: AndroidScenario = {
      hardware: [[tags.vendorPatchLevel, der.integer(202_605)]],
      section: { minimumPatch: { vendorPatchLevel: 20_260_500 } },
    };
    expect(await codeOf(judgeAndroid(old))).toBe('accepted');
    expect(await codeOf(judgeAndroid({ chain: { certificatesIssued: null } }))).toBe('accepted');
  });

  it('counts whatever the dates of the attested key and of the root are', async () => {
    const { chain } = await prepareAndroid();
    expect(chain.certificates.length).toBe(4);
    const ended = { validity: { notBefore: after(-99), notAfter: after(-98) } };
    expect(await codeOf(judgeAndroid({ levels: { leaf: ended } }))).toBe('accepted');
    expect(await codeOf(judgeAndroid({ levels: { root: ended } }))).toBe('accepted');
  });

  it('needs no signature over the known root, and one over any other certificate of its key', async () => {
    const signature = (bytes: Uint8Array) => bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
    const levels = { root: { tamper: { signature } } };
    expect(await codeOf(judgeAndroid({ levels }))).toBe('ANDROID_ROOT_SIGNATURE');
    const known: AndroidScenario = { levels, anchors: (chain) => androidAnchorsOf(chain, {}, true) };
    expect(await codeOf(judgeAndroid(known))).toBe('accepted');
  });

  it('takes a status list that was sent along when the policy pins it, and hears it', async () => {
    const json = forgeAndroidStatus();
    const pinned = { ...sent(json), section: { statusLists: [await sha256(json)] } };
    expect(await codeOf(judgeAndroid(pinned))).toBe('accepted');
    const { chain } = await prepareAndroid();
    const revoked = forgeAndroidStatus({ [chain.serials.attestation]: { status: 'REVOKED' } });
    const heard = { ...sent(revoked), section: { statusLists: [await sha256(revoked)] } };
    expect(await codeOf(judgeAndroid(heard))).toBe('ANDROID_REVOKED');
    // Both lists count when there are two.
    const { endorsements } = sent(revoked);
    const both = { endorsements, section: { statusLists: [await sha256(revoked)] } };
    expect(await codeOf(judgeAndroid(both))).toBe('ANDROID_REVOKED');
  });

  it('without a status list, or of an unlocked device, is accepted under waivers only, and the result says so', async () => {
    const scenario: AndroidScenario = {
      status: () => null,
      hardware: [rootOfTrust({ locked: false, state: 2, key: new Uint8Array() })],
      waive: ['ANDROID_STATUS_MISSING', 'ANDROID_UNLOCKED', 'ANDROID_BOOT_STATE'],
    };
    const verdict = await judgeAndroid(scenario);
    expect(verdict.claims.debug).toBe(true);
    expect(verdict.waivers.map(({ check }) => check)).toEqual(scenario.waive);
    expect(trustworthinessOf(verdict)).toMatchObject({ hardware: 32, configuration: 96, executables: 96 });
    const unneeded = await judgeAndroid({ ...scenario, status: () => ({}), hardware: [] });
    expect(unneeded.waivers).toEqual([]);
  });

  it('becomes an attestation result that claims nothing about memory', async () => {
    const { evidence, ...options } = await prepareAndroid();
    const verdict = await verifyEvidence({ ...options, evidence });
    const ear = toEar(verdict, {
      verifierId: { developer: 'https://example.org', build: '1' },
      policyId: 'p',
      nonce: challenge,
      issuedAt: now,
      rawEvidence: evidence,
    });
    expect(ear.ear_status).toBe('affirming');
    expect(Object.values(ear.submods)[0]?.ear_trustworthiness_vector).not.toHaveProperty('runtime-opaque');
  });
});

describe('signatures of an Android chain', () => {
  it('are verified once each, by the verifier that is handed in, and those of authorities once for many keys', async () => {
    let count = 0;
    const signatures: SignatureVerifier = async (check) => {
      count += 1;
      return webCryptoVerifier(check);
    };
    const cache = new VerificationCache();
    const options = await prepareAndroid();
    for (const expected of [4, 1]) {
      count = 0;
      await verifyEvidence({ ...options, signatures, cache });
      expect(count).toBe(expected);
    }
    expect(await codeOf(verifyEvidence({ ...options, signatures: async () => false }))).toBe('ANDROID_ROOT_SIGNATURE');
  });

  it('cover what a session derives', async () => {
    const session = {
      purpose: 'client',
      nonce: new Uint8Array(32).fill(1),
      keyConfigDigest: new Uint8Array(32).fill(2),
      releaseDigest: new Uint8Array(32).fill(3),
    } as const;
    const bound = await reportDataFor('android-key', { ...session, deviceEvidenceDigest: null });
    const { evidence, endorsements, policy, anchors } = await prepareAndroid({ description: { challenge: bound } });
    const { claims } = await verifyEvidence({ evidence, endorsements, policy, anchors, now, session });
    expect(claims.reportData).toBe(toHex(bound));
  });
});

describe('an Android policy', () => {
  const read = (androidKey: object) => () => parseAttestationPolicy({ version: 1, id: 'p', androidKey, waivers: [] });
  const securityLevels = ['strongbox'];

  it.each([
    ['no level', {}],
    ['software', { securityLevels: ['software'] }],
    ['an empty list', { securityLevels, measurements: [] }],
    ['self-signed systems of anyone', { securityLevels, bootStates: ['self-signed'] }],
    ['unverified systems', { securityLevels, bootStates: ['unverified'] }],
    ['an application without signers', { securityLevels, applications: [{ package: 'a', signers: [] }] }],
    ['an unknown field', { securityLevels, origins: ['any'] }],
    ['a list that is valid for a year', { securityLevels, maxStatusAgeSeconds: 31_536_000 }],
  ])('is refused with %s', async (_, section) => {
    expect(await codeOf(read(section))).toBe('ATTEST_POLICY_INVALID');
  });

  it('that waits for a release cannot be used', async () => {
    expect(await codeOf(judgeAndroid({ section: { measurements: 'from-release' } }))).toBe('ATTEST_POLICY_INCOMPLETE');
  });
});

describe('the stages of Android attestations', () => {
  it('cannot be skipped', async () => {
    const options = await prepareAndroid();
    const parsed = parse(options.evidence);
    // @ts-expect-error a parsed chain is not an authentic one
    expect(await codeOf(() => appraise(parsed, options))).toBe('ATTEST_STAGE_SKIPPED');
    const copied = Object.assign(Object.create(null), parsed) as ParsedKey;
    expect(await codeOf(authenticate(copied, options))).toBe('ATTEST_STAGE_SKIPPED');
    const faked = Object.assign(Object.create(null), parsed, { at: 0, waivers: [] }) as AuthenticKey;
    expect(await codeOf(() => appraise(faked, options))).toBe('ATTEST_STAGE_SKIPPED');
  });

  it('take challenges of 1 to 128 bytes, and their own endorsements', async () => {
    for (const length of [0, 129]) {
      const expectedReportData = new Uint8Array(length);
      expect(await codeOf(judgeAndroid({ expectedReportData }))).toBe('ATTEST_ARGUMENT_INVALID');
    }
    const long = new Uint8Array(128).fill(1);
    const scenario = { description: { challenge: long }, expectedReportData: long };
    expect(await codeOf(judgeAndroid(scenario))).toBe('accepted');
    const { evidence } = await prepareAndroid();
    expect(await codeOf(() => parse(evidence, [evidence]))).toBe('ATTEST_ENDORSEMENT_UNSUPPORTED');
    expect(await codeOf(() => parse({ ...evidence, type: 'application/cbor' }))).toBe('ATTEST_EVIDENCE_UNSUPPORTED');
    const bad = { status: () => ({ fetchedAt: new Date(Number.NaN) }) };
    expect(await codeOf(judgeAndroid(bad))).toBe('ATTEST_ARGUMENT_INVALID');
  });
});
