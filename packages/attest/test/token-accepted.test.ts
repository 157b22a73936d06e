import { toHex } from '@fastness/codec';

import { forgeKeySet } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { toEar, trustworthinessOf, verifyEvidence } from '../src/index.ts';
import { codeOf } from './support/errors.ts';
import {
  after,
  judgeToken,
  MAA_ISSUER,
  nonce,
  now,
  prepareToken,
  put,
  reportData,
  type TokenScenario,
} from './support/token-forge.ts';

const section = (members: object) => ({ section: () => members });
const signers = ({ pins }: { pins: { root: string } }) => ({
  issuers: [{ issuer: MAA_ISSUER, authorities: [pins.root] }],
});

describe('a genuine token', () => {
  it.each([
    ['sevsnpvm', 'sev-snp', 'a3'.repeat(48)],
    ['tdxvm', 'tdx', 'a4'.repeat(48)],
    ['sgx', 'sgx', 'a1'.repeat(32)],
  ] as const)('of Azure Attestation yields claims: %s', async (type, attestedTee, measurement) => {
    const { claims, waivers } = await judgeToken({ service: 'azure-maa', type });
    expect(claims).toMatchObject({
      tee: 'azure-maa',
      vendor: 'Microsoft',
      identity: { kind: 'token-issuer', value: MAA_ISSUER },
      issuer: MAA_ISSUER,
      attestedTee,
      nested: false,
      measurement,
      debug: false,
      reportData: toHex(reportData),
      token: { issuedAt: after(-30).toISOString(), trustedBy: 'pinned-key' },
      verifiedAt: now.toISOString(),
    });
    expect(waivers).toEqual([]);
  });

  it('of Azure Attestation may be for a nested guest', async () => {
    const { claims } = await judgeToken({ service: 'azure-maa', nested: true });
    expect(claims).toMatchObject({ nested: true, attestedTee: 'sev-snp', compliance: 'azure-compliant-cvm' });
    const unbooted: TokenScenario = {
      service: 'azure-maa',
      nested: true,
      claims: put(undefined, 'secureboot'),
      ...section({ secureBoot: 'any' }),
    };
    expect(await codeOf(judgeToken(unbooted))).toBe('accepted');
  });

  it.each([
    { binding: 'nonce' },
    { binding: 'runtime-nonce' },
    { policyHashes: ['QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE'], hostData: ['a5'.repeat(32)] },
    { minimumTcb: { bootloader: 4, tee: 0, snp: 24, microcode: 219 }, maxAgeSeconds: 30 },
  ])('of Azure Attestation meets a policy with %j', async (members) => {
    expect(await codeOf(judgeToken({ service: 'azure-maa', ...section(members) }))).toBe('accepted');
  });

  it('of Azure Attestation meets policies for SGX and TDX', async () => {
    const sgx = section({ binding: 'held-data', signers: ['a2'.repeat(32)] });
    expect(await codeOf(judgeToken({ service: 'azure-maa', type: 'sgx', ...sgx }))).toBe('accepted');
    const tdx = section({ rtmrs: { 0: ['b0'.repeat(48)], 3: ['b3'.repeat(48)] } });
    expect(await codeOf(judgeToken({ service: 'azure-maa', type: 'tdxvm', ...tdx }))).toBe('accepted');
  });

  it.each([
    ['tdx', 2],
    ['tdx', 1],
    ['sgx', 2],
    ['sgx', 1],
  ] as const)('of Intel Trust Authority yields claims: %s, version %d', async (type, version) => {
    const { claims } = await judgeToken({ service: 'intel-trust-authority', type, version });
    expect(claims).toMatchObject({
      tee: 'intel-trust-authority',
      attestedTee: type,
      tcbStatus: 'UpToDate',
      advisories: ['INTEL-SA-00837'],
      policiesMatched: ['policy-1'],
      reportData: toHex(reportData),
      ...(type === 'tdx' ? { rtmrs: ['b0', 'b1', 'b2', 'b3'].map((byte) => byte.repeat(48)) } : {}),
    });
  });

  it('of Intel Trust Authority may be signed with RS256, and bind through report data', async () => {
    const rs256: TokenScenario = { service: 'intel-trust-authority', issuer: { algorithm: 'RS256' } };
    expect(await codeOf(judgeToken(rs256))).toBe('accepted');
    const policy = {
      binding: 'report-data',
      policyIds: ['policy-1'],
      advisories: ['INTEL-SA-00837'],
      rtmrs: { 2: ['b2'.repeat(48)] },
    };
    expect(await codeOf(judgeToken({ service: 'intel-trust-authority', ...section(policy) }))).toBe('accepted');
  });

  it('of Intel Trust Authority need not repeat under the name of a TEE which one it is', async () => {
    const unnamed = put(undefined, 'tdx', 'attester_type');
    expect(await codeOf(judgeToken({ service: 'intel-trust-authority', claims: unnamed }))).toBe('accepted');
  });

  it('of Confidential Space yields claims', async () => {
    const { claims, waivers } = await judgeToken({ service: 'gcp-confidential-space' });
    expect(claims).toMatchObject({
      tee: 'gcp-confidential-space',
      vendor: 'Google',
      identity: { kind: 'instance-id' },
      hardware: 'GCP_INTEL_TDX',
      measurement: 'a6'.repeat(32),
      imageVersion: '250800',
      arguments: ['/bin/enclave', '--serve'],
      environment: { PATH: '/bin' },
      project: 'forged',
      token: { trustedBy: 'pinned-authority' },
    });
    expect(waivers).toEqual([]);
  });

  it('of Confidential Space meets a narrow policy, and a wide one', async () => {
    const narrow = {
      minimumVersion: 250_800,
      supportAttribute: 'LATEST',
      arguments: ['/bin/enclave', '--serve'],
      projects: ['forged'],
      zones: ['eu-forged1-a'],
      serviceAccounts: ['workload@forged.iam.gserviceaccount.com'],
    };
    expect(await codeOf(judgeToken({ service: 'gcp-confidential-space', ...section(narrow) }))).toBe('accepted');
    const debug: TokenScenario = {
      service: 'gcp-confidential-space',
      claims: (claims) => {
        put('enabled', 'dbgstat')(claims);
        put(undefined, 'submods', 'confidential_space')(claims);
        put({ A: 'b' }, 'submods', 'container', 'env_override')(claims);
      },
      ...section({ supportAttribute: 'any', overrides: 'allow' }),
      waive: ['GCS_DEBUG'],
    };
    const verdict = await judgeToken(debug);
    expect(verdict.claims.debug).toBe(true);
    expect(verdict.waivers.map(({ check }) => check)).toEqual(['GCS_DEBUG']);
    expect(trustworthinessOf(verdict)).toMatchObject({ configuration: 96, 'runtime-opaque': 96 });
  });

  it('of Confidential Space needs no list where a key is pinned, and a waiver where none comes along', async () => {
    const lists = async () => [];
    const pinned: TokenScenario = {
      service: 'gcp-confidential-space',
      lists,
      section: ({ pins }) => ({ signingKeys: [pins.leaf] }),
    };
    expect(await codeOf(judgeToken(pinned))).toBe('accepted');
    const verdict = await judgeToken({ service: 'gcp-confidential-space', lists, waive: ['TOKEN_CRL_MISSING'] });
    expect(verdict.waivers.map(({ check }) => check)).toEqual(['TOKEN_CRL_MISSING']);
    expect(trustworthinessOf(verdict)).toMatchObject({ hardware: 32, 'instance-identity': 32 });
  });

  it('of Confidential Space may state the TCB in a list of one', async () => {
    const tdx = put([{ gcp_attester_tcb_status: 'UpToDate' }], 'tdx');
    expect(await codeOf(judgeToken({ service: 'gcp-confidential-space', claims: tdx }))).toBe('accepted');
  });

  it('of Confidential Space on SEV is a warning at best', async () => {
    const sev: TokenScenario = {
      service: 'gcp-confidential-space',
      claims: put('GCP_AMD_SEV', 'hwmodel'),
      ...section({ hardware: ['GCP_AMD_SEV'] }),
    };
    expect(trustworthinessOf(await judgeToken(sev))['runtime-opaque']).toBe(32);
  });

  it('of Confidential Space may be signed by a pinned key of a key set', async () => {
    const oidc: TokenScenario = {
      service: 'gcp-confidential-space',
      jws: { header: { x5c: undefined } },
      keySets: (issuer) => [forgeKeySet(issuer)],
      section: ({ pins }) => ({ signingKeys: [pins.leaf] }),
      anchors: () => ({}),
    };
    expect(await codeOf(judgeToken(oidc))).toBe('accepted');
  });

  it('of NRAS yields claims for every device', async () => {
    const scenario: TokenScenario = {
      service: 'nvidia-nras',
      nras: { devices: ['GPU-0', 'GPU-1', 'SWITCH-0'] },
      ...section({ deviceCount: 3, drivers: ['550.90.07'], firmware: ['96.00.9F.00.01', '96.10.55.00.01'] }),
    };
    const { claims } = await judgeToken(scenario);
    expect(claims).toMatchObject({
      tee: 'nvidia-nras',
      identity: { kind: 'ueid', value: '478176379000,478176379001,478176379002' },
      reportData: toHex(nonce),
      debug: false,
    });
    expect('devices' in claims && claims.devices.map(({ kind }) => kind)).toEqual(['gpu', 'gpu', 'switch']);
    expect(claims.measurement).toMatch(/^[0-9a-f]{64}$/);
    const debugged = await judgeToken({
      service: 'nvidia-nras',
      nras: { device: put('enabled', 'dbgstat') },
      waive: ['NRAS_DEBUG'],
    });
    expect(debugged.claims.debug).toBe(true);
  });

  it('may be signed by a key that a pinned authority certified, sent with its key set', async () => {
    const chained: TokenScenario = {
      service: 'azure-maa',
      keySets: (issuer) => [forgeKeySet(issuer, { chain: true })],
      section: signers,
    };
    const { claims } = await judgeToken(chained);
    expect(claims).toMatchObject({ token: { trustedBy: 'pinned-authority' } });
    const bare = { ...chained, keySets: (issuer: Parameters<typeof forgeKeySet>[0]) => [forgeKeySet(issuer)] };
    expect(await codeOf(judgeToken(bare))).toBe('TOKEN_KEY_NOT_PINNED');
    // Azure leaves the members of the key out and sends its certificate alone.
    const certificateOnly: TokenScenario = {
      ...chained,
      keySets: (issuer) => [forgeKeySet(issuer, { chain: true, members: { n: undefined, e: undefined } })],
    };
    expect(await codeOf(judgeToken(certificateOnly))).toBe('accepted');
  });

  it('may name where its key set is, which is ignored', async () => {
    const jku: TokenScenario = { service: 'azure-maa', jws: { header: { jku: 'https://attacker.example/certs' } } };
    expect(await codeOf(judgeToken(jku))).toBe('accepted');
  });

  it('may come at the edges of its time', async () => {
    const seconds = (date: Date) => Math.floor(date.getTime() / 1000);
    for (const [value, name] of [
      [seconds(after(1)), 'exp'],
      [seconds(after(59)), 'nbf'],
      [seconds(after(59)), 'iat'],
    ] as const) {
      expect(await codeOf(judgeToken({ service: 'azure-maa', claims: put(value, name) }))).toBe('accepted');
    }
  });

  it('becomes an attestation result', async () => {
    const { evidence, ...options } = await prepareToken({ service: 'gcp-confidential-space' });
    const verdict = await verifyEvidence({ ...options, evidence });
    const ear = toEar(verdict, {
      verifierId: { developer: 'https://example.org', build: '1' },
      policyId: 'p',
      nonce,
      issuedAt: now,
      rawEvidence: evidence,
    });
    expect(ear.ear_status).toBe('affirming');
  });
});
