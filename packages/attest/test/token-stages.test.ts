import { toHex } from '@fastness/codec';
import { webCryptoVerifier, type SignatureVerifier } from '@fastness/codec/x509';
import { describe, expect, it } from 'vitest';
import { parseAttestationPolicy, reportDataFor, VerificationCache, verifyEvidence } from '../src/index.ts';
import * as maa from '../src/formats/azure-maa/index.ts';
import * as google from '../src/formats/gcp-confidential-space/index.ts';
import { codeOf } from './support/errors.ts';
import { judgeToken, MAA_ISSUER, now, prepareToken, type TokenScenario } from './support/token-forge.ts';

const section = (members: object) => ({ section: () => members });

describe('tokens in a session', () => {
  const session = {
    purpose: 'client',
    nonce: new Uint8Array(32).fill(1),
    keyConfigDigest: new Uint8Array(32).fill(2),
    releaseDigest: new Uint8Array(32).fill(3),
  } as const;

  it.each(['azure-maa', 'intel-trust-authority', 'gcp-confidential-space'] as const)(
    'carry what is derived from it: %s',
    async (service) => {
      const bound = await reportDataFor(service, { ...session, deviceEvidenceDigest: null });
      expect(bound.length).toBe(64);
      const { evidence, endorsements, policy, anchors } = await prepareToken({ service, bound });
      const judge = async (purpose: 'client' | 'key-release') =>
        verifyEvidence({ evidence, endorsements, policy, anchors, now, session: { ...session, purpose } });
      expect((await judge('client')).claims.reportData).toBe(toHex(bound));
      expect(await codeOf(judge('key-release'))).toBe('TOKEN_NONCE_MISMATCH');
    },
  );

  it('are refused where they are about GPUs alone, which say nothing about who holds the keys', async () => {
    const bound = await reportDataFor('nvidia-nras', { ...session, deviceEvidenceDigest: null });
    expect(bound.length).toBe(32);
    const { evidence, endorsements, policy, anchors } = await prepareToken({ service: 'nvidia-nras', bound });
    const options = { evidence, endorsements, policy, anchors, now };
    expect((await verifyEvidence({ ...options, expectedReportData: bound })).claims.reportData).toBe(toHex(bound));
    expect(await codeOf(verifyEvidence({ ...options, session }))).toBe('ATTEST_CPU_NOT_ONE');
  });
});

describe('signatures under tokens', () => {
  it('are verified once each, by the verifier that is handed in, and those of authorities once for many tokens', async () => {
    let count = 0;
    const signatures: SignatureVerifier = async (check) => {
      count += 1;
      return webCryptoVerifier(check);
    };
    const cache = new VerificationCache();
    for (const [service, first, next] of [
      // The token, two certificates of its chain and a list.
      ['gcp-confidential-space', 4, 1],
      ['azure-maa', 1, 1],
      // The overall token and that of its one device.
      ['nvidia-nras', 2, 2],
    ] as const) {
      const options = await prepareToken({ service });
      for (const expected of [first, next]) {
        count = 0;
        await verifyEvidence({ ...options, signatures, cache });
        expect([service, count]).toEqual([service, expected]);
      }
      expect(await codeOf(verifyEvidence({ ...options, signatures: async () => false }))).toMatch(/SIGNATURE/);
    }
  });
});

describe('policies for tokens', () => {
  const read = (policy: object) => () => parseAttestationPolicy({ version: 1, id: 'p', waivers: [], ...policy });
  const azureMaa = {
    issuers: [{ issuer: MAA_ISSUER }],
    tees: ['tdx'],
    binding: 'nonce',
    measurements: ['00'.repeat(48)],
  };

  it.each([
    ['no issuers', { azureMaa: { ...azureMaa, issuers: [] } }],
    ['an issuer twice', { azureMaa: { ...azureMaa, issuers: [{ issuer: 'a' }, { issuer: 'a' }] } }],
    ['no measurements', { azureMaa: { ...azureMaa, measurements: [] } }],
    ['no binding', { azureMaa: { ...azureMaa, binding: undefined } }],
    ['an empty list of pins', { azureMaa: { ...azureMaa, issuers: [{ issuer: 'a', signingKeys: [] }] } }],
    [
      'no audience for Google',
      { gcpConfidentialSpace: { measurements: ['00'.repeat(32)], hardware: ['GCP_AMD_SEV'] } },
    ],
    [
      'a Shielded VM for Google',
      { gcpConfidentialSpace: { audiences: ['a'], measurements: ['00'.repeat(32)], hardware: ['GCP_SHIELDED_VM'] } },
    ],
    ['no device count for NVIDIA', { nvidiaNras: { kinds: ['gpu'], models: ['x'] } }],
  ])('are refused with %s', async (_, policy) => {
    expect(await codeOf(read(policy))).toBe('ATTEST_POLICY_INVALID');
  });

  it('that wait for a release cannot be used', async () => {
    for (const service of ['azure-maa', 'intel-trust-authority', 'gcp-confidential-space'] as const) {
      const open: TokenScenario = { service, ...section({ measurements: 'from-release' }) };
      expect(await codeOf(judgeToken(open))).toBe('ATTEST_POLICY_INCOMPLETE');
    }
  });

  it('speak for their own service alone', async () => {
    const token = await prepareToken({ service: 'azure-maa' });
    const { policy } = await prepareToken({ service: 'intel-trust-authority' });
    expect(await codeOf(verifyEvidence({ ...token, policy }))).toBe('ATTEST_TEE_NOT_ALLOWED');
  });
});

describe('the stages of tokens', () => {
  it('cannot be skipped, nor be taken from another service', async () => {
    const options = await prepareToken({ service: 'azure-maa' });
    const parsed = maa.parse(options.evidence, options.endorsements);
    // @ts-expect-error a parsed token is not an authentic one
    expect(await codeOf(() => maa.appraise(parsed, options))).toBe('ATTEST_STAGE_SKIPPED');
    const copied = Object.assign(Object.create(null), parsed) as maa.ParsedToken;
    expect(await codeOf(maa.authenticate(copied, options))).toBe('ATTEST_STAGE_SKIPPED');
    const authentic = await maa.authenticate(parsed, options);
    const policy = (await prepareToken({ service: 'gcp-confidential-space' })).policy;
    expect(await codeOf(google.authenticate(parsed, { ...options, policy }))).toBe('ATTEST_STAGE_SKIPPED');
    expect(await codeOf(() => google.appraise(authentic, { ...options, policy }))).toBe('ATTEST_STAGE_SKIPPED');
    expect(await codeOf(() => maa.appraise(authentic, options))).toBe('accepted');
  });

  it('take report data of the lengths that each service can carry', async () => {
    const lengths = { 'azure-maa': 65, 'intel-trust-authority': 65, 'gcp-confidential-space': 67, 'nvidia-nras': 64 };
    for (const service of ['azure-maa', 'intel-trust-authority', 'gcp-confidential-space', 'nvidia-nras'] as const) {
      for (const length of [0, 15, lengths[service]]) {
        const scenario = { service, expectedReportData: new Uint8Array(length) };
        expect(await codeOf(judgeToken(scenario))).toBe('ATTEST_ARGUMENT_INVALID');
      }
    }
  });

  it('read their own kind of evidence and endorsements', async () => {
    const options = await prepareToken({ service: 'azure-maa' });
    const { evidence } = await prepareToken({ service: 'nvidia-nras' });
    expect(await codeOf(() => maa.parse(evidence))).toBe('ATTEST_EVIDENCE_UNSUPPORTED');
    expect(await codeOf(() => maa.parse(options.evidence, [evidence]))).toBe('ATTEST_ENDORSEMENT_UNSUPPORTED');
    expect(maa.parse(maa.encodeAzureMaaEvidence(new TextDecoder().decode(options.evidence.value))).tee).toBe(
      'azure-maa',
    );
  });
});
