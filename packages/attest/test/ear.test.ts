import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toBase64Url } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import {
  cmwFromJson,
  earClaimsSchema,
  EAR_PROFILE,
  readEar,
  tierOf,
  toEar,
  trustworthinessOf,
  verifyEvidence,
  type EarClaims,
  type WaivableCheck,
} from '../src/index.ts';
import { worstTier } from '../src/ear/tiers.ts';
import { codeOf } from './support/errors.ts';
import { judge, now, prepare, type Scenario } from './support/forge.ts';
import { vectorsRoot } from './support/vectors.ts';

const { chain: _, ...options } = await prepare();
const verdict = await verifyEvidence(options);
const nonce = new Uint8Array(32).fill(9);
const common = {
  verifierId: { developer: 'https://example.org', build: 'test 1' },
  policyId: 'ni:///policy',
  nonce,
  issuedAt: now,
  rawEvidence: options.evidence,
};
const write = (): EarClaims => toEar(verdict, common);

describe('toEar', () => {
  it('writes draft 04', () => {
    const ear = write();
    expect(earClaimsSchema.parse(JSON.parse(JSON.stringify(ear)))).toEqual(ear);
    expect(ear).toMatchObject({
      eat_profile: EAR_PROFILE,
      ear_status: 'affirming',
      iat: Math.floor(now.getTime() / 1000),
      ear_verifier_id: common.verifierId,
      eat_nonce: toBase64Url(nonce),
      submods: {
        cpu0: {
          ear_status: 'affirming',
          ear_trustworthiness_vector: {
            'instance-identity': 2,
            configuration: 2,
            executables: 3,
            hardware: 2,
            'runtime-opaque': 2,
          },
          ear_appraisal_policy_ids: ['ni:///policy'],
          ear_attester_claims: JSON.parse(JSON.stringify(verdict.claims)),
          ear_verifier_claims: { simulated: false, waivers: [] },
        },
      },
    });
    expect(cmwFromJson(ear.ear_raw_evidence)).toEqual(options.evidence);
  });

  it.each([
    ['a nonce too short', { nonce: new Uint8Array(7) }],
    ['a nonce too long', { nonce: new Uint8Array(65) }],
    ['a verifier without a name', { verifierId: { developer: '', build: 'x' } }],
    ['no date', { issuedAt: new Date(Number.NaN) }],
  ])('refuses %s', async (_what, change) => {
    expect(await codeOf(() => toEar(verdict, { ...common, ...change }))).toBe('ATTEST_ARGUMENT_INVALID');
  });

  const waived: readonly (readonly [WaivableCheck, Scenario, string, object])[] = [
    ['SNP_CRL_MISSING', { crls: () => [] }, 'warning', { 'instance-identity': 32, hardware: 32 }],
    ['SNP_CRL_EXPIRED', { chain: { crl: { nextUpdate: null } } }, 'warning', { 'instance-identity': 32, hardware: 32 }],
    [
      'SNP_DEBUG_ALLOWED',
      { report: { policy: 0xb_0000n } },
      'contraindicated',
      { configuration: 96, 'runtime-opaque': 96, executables: 96 },
    ],
    ['SNP_MIGRATION_ALLOWED', { report: { policy: 0x7_0000n } }, 'warning', { configuration: 32 }],
    ['SNP_VLEK_CHIP_ID', { kind: 'vlek', report: { chipId: new Uint8Array(64).fill(1) } }, 'affirming', {}],
  ];
  it.each(waived)('carries the waiver of %s and what it costs', async (check, scenario, status, vector) => {
    const ear = toEar(await judge({ ...scenario, waive: [check] }), common);
    const { submodules } = readEar(ear);
    expect(submodules['cpu0']).toMatchObject({
      status,
      vector,
      verifierClaims: { waivers: [{ check, reason: `because of ${check}` }] },
    });
    expect(ear.ear_status).toBe(status);
  });

  it('adds up what several waivers cost', async () => {
    const weak = await judge({
      crls: () => [],
      report: { policy: 0xf_0000n },
      waive: ['SNP_CRL_MISSING', 'SNP_DEBUG_ALLOWED', 'SNP_MIGRATION_ALLOWED'],
    });
    expect(trustworthinessOf(weak)).toEqual({
      'instance-identity': 32,
      configuration: 96,
      executables: 96,
      hardware: 32,
      'runtime-opaque': 96,
    });
  });
});

describe('tiers', () => {
  it.each([
    [-128, 'contraindicated'],
    [-97, 'contraindicated'],
    [-96, 'warning'],
    [-33, 'warning'],
    [-32, 'affirming'],
    [-2, 'affirming'],
    [-1, 'none'],
    [0, 'none'],
    [1, 'none'],
    [2, 'affirming'],
    [31, 'affirming'],
    [32, 'warning'],
    [95, 'warning'],
    [96, 'contraindicated'],
    [127, 'contraindicated'],
    [128, 'contraindicated'],
    [1.5, 'contraindicated'],
    [Number.NaN, 'contraindicated'],
  ] as const)('%d is %s', (value, tier) => {
    expect(tierOf(value)).toBe(tier);
  });

  it('of a vector is its worst', () => {
    expect(worstTier({})).toBe('none');
    expect(worstTier({ hardware: 2, executables: 32, configuration: 0 })).toBe('warning');
  });
});

describe('readEar', () => {
  const dotted = {
    eat_profile: 'tag:github.com,2023:veraison/ear',
    iat: 1,
    exp: 2,
    'ear.verifier-id': { developer: 'd', build: 'b' },
    'ear.raw-evidence': 'AQID',
    eat_nonce: ['abcdefgh'],
    submods: {
      test: { 'ear.status': 2, 'ear.trustworthiness-vector': { hardware: 2 }, 'ear.appraisal-policy-id': 'policy://x' },
    },
  };

  it('reads what toEar writes', () => {
    const ear = readEar(JSON.parse(JSON.stringify(write())));
    expect(ear).toMatchObject({
      profile: EAR_PROFILE,
      nonces: [toBase64Url(nonce)],
      submodules: { cpu0: { status: 'affirming', policyIds: ['ni:///policy'] } },
    });
  });

  it('reads the dotted names of older drafts and tiers as numbers', () => {
    expect(readEar(dotted)).toEqual({
      profile: dotted.eat_profile,
      status: 'affirming',
      issuedAt: 1,
      expiresAt: 2,
      verifierId: { developer: 'd', build: 'b' },
      nonces: ['abcdefgh'],
      rawEvidence: 'AQID',
      submodules: {
        test: {
          status: 'affirming',
          vector: { hardware: 2 },
          policyIds: ['policy://x'],
          attesterClaims: {},
          verifierClaims: {},
        },
      },
    });
  });

  it.skipIf(!existsSync(join(vectorsRoot, 'kbs')))('reads a recorded token of Trustee', () => {
    const token: unknown = JSON.parse(readFileSync(join(vectorsRoot, 'kbs/example.token.json'), 'utf8'));
    const { submodules, verifierId } = readEar(token);
    expect(verifierId.build).toContain('attestation-service');
    expect(submodules['cpu0']).toMatchObject({
      status: 'contraindicated',
      vector: { hardware: 97 },
      policyIds: ['default'],
    });
    expect(submodules['cpu0']?.attesterClaims).toHaveProperty('report_data');
  });

  it.each([
    ['EAR_MALFORMED', 'null', null],
    ['EAR_MALFORMED', 'a list', []],
    ['EAR_PROFILE_UNKNOWN', 'no profile', { ...dotted, eat_profile: undefined }],
    ['EAR_PROFILE_UNKNOWN', 'another profile', { ...dotted, eat_profile: 'tag:example.org,2026:other' }],
    ['EAR_MALFORMED', 'no verifier', { ...dotted, 'ear.verifier-id': undefined }],
    ['EAR_MALFORMED', 'no time', { ...dotted, iat: undefined }],
    ['EAR_MALFORMED', 'a fractional time', { ...dotted, iat: 1.5 }],
    ['EAR_MALFORMED', 'no submodules', { ...dotted, submods: {} }],
    ['EAR_MALFORMED', 'a submodule without a status', { ...dotted, submods: { test: {} } }],
    ['EAR_MALFORMED', 'an unknown status', { ...dotted, submods: { test: { 'ear.status': 'good' } } }],
    [
      'EAR_MALFORMED',
      'an unknown claim in the vector',
      { ...dotted, submods: { test: { 'ear.status': 'none', 'ear.trustworthiness-vector': { firmware: 2 } } } },
    ],
    [
      'EAR_MALFORMED',
      'one member under two names',
      { ...dotted, submods: { test: { 'ear.status': 'none', ear_status: 'affirming' } } },
    ],
    [
      'EAR_STATUS_OVERSTATED',
      'a status better than the vector',
      { ...dotted, submods: { test: { 'ear.status': 'affirming', 'ear.trustworthiness-vector': { hardware: 96 } } } },
    ],
    [
      'EAR_STATUS_OVERSTATED',
      'silence over a bad vector',
      { ...dotted, submods: { test: { 'ear.status': 'none', 'ear.trustworthiness-vector': { hardware: 32 } } } },
    ],
  ])('%s: %s', async (code, _what, value) => {
    expect(await codeOf(() => readEar(value))).toBe(code);
  });
});
