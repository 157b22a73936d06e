import { errorRegistry } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { toEar, verifyEvidence, VerificationCache } from '../src/index.ts';
import {
  appraise,
  authenticate,
  parse,
  type AuthenticQuote,
  type ClaimedInstance,
  type InstanceInfo,
  type ParsedQuote,
} from '../src/formats/gcp-vtpm/index.ts';
import { authenticate as authenticateTpm } from '../src/formats/tpm/index.ts';
import { codeOf } from './support/errors.ts';
import { gcpVtpmFailures, strayEndorsement } from './support/gcp-vtpm-failures.ts';
import { judgeGcpVtpm, prepareGcpVtpm, vtpmAnchor } from './support/gcp-vtpm-forge.ts';
import { scramble } from './support/scramble.ts';
import { akAccepted, akFailures } from './support/tpm-ak-failures.ts';
import { flip, nonce, rsaKeys } from './support/tpm-forge.ts';

describe('forged evidence of a Google virtual TPM with one thing wrong', () => {
  it.each(akFailures)('has no trusted certificates: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeGcpVtpm(scenario))).toBe(code);
  });

  it.each(gcpVtpmFailures)('is refused: %s, %s', async (code, _, scenario) => {
    expect(await codeOf(judgeGcpVtpm(scenario))).toBe(code);
  });

  it('exists for every check', () => {
    const tested = new Set<string>([...akFailures, ...gcpVtpmFailures].map(([code]) => code));
    const codes = Object.keys(errorRegistry).filter((code) => /^(?:TPM_AK_|GCP_VTPM_)/.test(code));
    expect(codes.filter((code) => !tested.has(code))).toEqual([]);
  });

  it('is refused with endorsements of another kind', async () => {
    const options = await prepareGcpVtpm();
    const attempt = verifyEvidence({ ...options, endorsements: [strayEndorsement] });
    expect(await codeOf(attempt)).toBe('ATTEST_ENDORSEMENT_UNSUPPORTED');
    expect(await codeOf(() => parse(options.evidence, [strayEndorsement]))).toBe('ATTEST_ENDORSEMENT_UNSUPPORTED');
    const many = Array.from({ length: 9 }, () => options.endorsements[0] ?? strayEndorsement);
    expect(await codeOf(() => parse(options.evidence, many))).toBe('ATTEST_ENDORSEMENT_MALFORMED');
  });

  it('is refused wherever a bit changes', async () => {
    const options = await prepareGcpVtpm();
    const { evidence, endorsements } = options;
    const cache = new VerificationCache();
    const codes = new Set<string>();
    for (let position = 0; position < evidence.value.length; position += 5) {
      const changed = { ...evidence, value: flip(evidence.value, position) };
      codes.add(await codeOf(verifyEvidence({ ...options, cache, evidence: changed })));
    }
    const [endorsement = strayEndorsement] = endorsements;
    const accepted: number[] = [];
    for (let position = 0; position < endorsement.value.length; position += 17) {
      const changed = { ...endorsement, value: flip(endorsement.value, position) };
      const code = await codeOf(verifyEvidence({ ...options, cache, endorsements: [changed] }));
      if (code === 'accepted') accepted.push(position);
    }
    expect(codes.has('accepted')).toBe(false);
    expect(accepted).toEqual([]);
  });

  it('is read or refused when it was scrambled, and never crashes a reader', async () => {
    const { evidence, endorsements } = await prepareGcpVtpm();
    const codes = new Set<string>();
    for (let seed = 0; seed < 1000; seed += 1) {
      codes.add(await codeOf(() => parse({ ...evidence, value: scramble(evidence.value, seed) }, endorsements)));
    }
    expect(codes.size).toBeGreaterThan(5);
  });
});

describe('genuine evidence of a Google virtual TPM', () => {
  it('is accepted, and says which instance it is', async () => {
    const { claims, waivers } = await judgeGcpVtpm({
      section: {
        zones: ['europe-forged1-b'],
        instances: { allow: ['9223372036854775553'], deny: ['1'] },
      },
    });
    expect(claims).toMatchObject({
      tee: 'gcp-vtpm',
      vendor: 'Google',
      debug: false,
      identity: {
        kind: 'gce-instance',
        value: 'projects/forged-project/zones/europe-forged1-b/instances/9223372036854775553',
      },
      instance: { projectNumber: '123456789012', instanceName: 'forged-instance', securityVersion: '0' },
    });
    expect(waivers).toEqual([]);
    expect(JSON.parse(JSON.stringify(claims))).toEqual(claims);
  });

  it.each(akAccepted)('may have unusual certificates: %s', async (_, scenario) => {
    expect(await codeOf(judgeGcpVtpm(scenario))).toBe('accepted');
  });

  it('may have an RSA key, a known root, the chain in the evidence, and any project where the policy says so', async () => {
    expect(await codeOf(judgeGcpVtpm({ chain: { attestationKeys: rsaKeys } }))).toBe('accepted');
    const known = (chain: Parameters<typeof vtpmAnchor>[0]) => ({ gcpVtpm: [vtpmAnchor(chain, true)] });
    const { checks } = await judgeGcpVtpm({ anchors: known });
    expect(checks.find(({ code }) => code === 'TPM_AK_ROOT_SIGNATURE')?.actual).toBe('the pinned certificate');
    const whole = await judgeGcpVtpm({
      sent: (evidence, { certificates: { leaf, intermediate, root } }) => ({
        ...evidence,
        certificates: [leaf, intermediate, root],
      }),
      endorsed: ({ crls }) => ({ certificates: [], crls }),
      section: { projects: 'any' },
    });
    expect(whole.claims.instance.projectId).toBe('forged-project');
  });

  it('is accepted without a current revocation list under a waiver alone, which is reported', async () => {
    for (const [code, scenario] of [
      ['TPM_AK_CRL_MISSING', akFailures.find(([, what]) => what === 'none')?.[2]],
      ['TPM_AK_CRL_EXPIRED', akFailures.find(([, what]) => what === 'of last year')?.[2]],
    ] as const) {
      const options = await prepareGcpVtpm({ ...scenario, waive: [code] });
      const verdict = await verifyEvidence(options);
      expect(verdict.waivers.map(({ check }) => check)).toEqual([code]);
      const ear = toEar(verdict, {
        verifierId: { build: 'test', developer: 'https://fastness.invalid' },
        policyId: 'p',
        nonce,
        issuedAt: new Date(0),
        rawEvidence: options.evidence,
      });
      const vector = ear.submods['cpu0']?.ear_trustworthiness_vector;
      expect(vector).toMatchObject({ 'instance-identity': 32, 'runtime-opaque': 32 });
    }
  });

  it('needs every stage', async () => {
    const { policy, anchors, evidence, endorsements, now } = await prepareGcpVtpm();
    const faked = {} as unknown as ParsedQuote<ClaimedInstance> & AuthenticQuote<InstanceInfo>;
    expect(await codeOf(authenticate(faked, { policy, anchors, now }))).toBe('ATTEST_STAGE_SKIPPED');
    expect(await codeOf(appraise(faked, { policy, expectedReportData: nonce }))).toBe('ATTEST_STAGE_SKIPPED');
    const parsed = parse(evidence, endorsements);
    // What was read as one kind of TPM cannot become another, with less to show.
    const other = parsed as unknown as Parameters<typeof authenticateTpm>[0];
    expect(await codeOf(authenticateTpm(other, { policy, now }))).toBe('ATTEST_STAGE_SKIPPED');
  });
});
