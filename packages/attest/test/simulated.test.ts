import { amdName, sharedKeys } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { amdAnchors, toEar, verifyEvidence } from '../src/index.ts';
import { codeOf } from './support/errors.ts';
import { anchorsOf, judge, now, prepare } from './support/forge.ts';

const vendor = () => amdAnchors;
const simulated = { simulated: true, simulatedRoot: 'own', anchors: vendor } as const;

describe('simulated evidence', () => {
  it('is accepted under the root that the policy names, and says what it is', async () => {
    const { claims } = await judge(simulated);
    expect(claims).toMatchObject({ simulated: true, vendor: 'simulated', product: 'Milan' });
  });

  it('is never affirmed', async () => {
    const { evidence, ...options } = await prepare(simulated);
    const verdict = await verifyEvidence({ ...options, evidence });
    const ear = toEar(verdict, {
      verifierId: { developer: 'https://example.org', build: 'test' },
      policyId: 'test',
      nonce: new Uint8Array(32),
      issuedAt: now,
      rawEvidence: evidence,
    });
    expect(ear.ear_status).toBe('contraindicated');
    expect(ear.submods['cpu0']).toMatchObject({
      ear_status: 'contraindicated',
      ear_trustworthiness_vector: { hardware: 96, 'runtime-opaque': 96, executables: 0, 'instance-identity': 0 },
      ear_attester_claims: { simulated: true },
      ear_verifier_claims: { simulated: true },
    });
  });

  it('is refused where the policy names no simulated root', async () => {
    expect(await codeOf(judge({ simulated: true }))).toBe('SIMULATED_EVIDENCE_REFUSED');
    expect(await codeOf(judge({ simulated: true, anchors: vendor }))).toBe('SIMULATED_EVIDENCE_REFUSED');
  });

  it('is refused under any root but the one named, the vendor roots included', async () => {
    expect(await codeOf(judge({ ...simulated, simulatedRoot: 'ab'.repeat(32) }))).toBe('SNP_ARK_NOT_PINNED');
    expect(await codeOf(judge({ ...simulated, simulatedRoot: 'ab'.repeat(32), anchors: anchorsOf }))).toBe(
      'SNP_ARK_NOT_PINNED',
    );
  });

  it('is refused where the policy names a vendor root as simulated', async () => {
    expect(await codeOf(judge({ ...simulated, anchors: anchorsOf }))).toBe('SIMULATED_ROOT_IS_VENDOR_ROOT');
  });

  it('is refused where its root plays no known product', async () => {
    const root = { name: amdName('ARK-Rome'), keys: await sharedKeys('a root', 'rsa-2048') };
    const chain = {
      keys: { ark: root.keys },
      ark: { subject: root.name },
      intermediate: { issuer: root },
      crl: { issuer: root },
    };
    expect(await codeOf(judge({ ...simulated, chain }))).toBe('SNP_ARK_NAME');
  });

  it('is judged as strictly as evidence of hardware', async () => {
    expect(await codeOf(judge({ ...simulated, report: { policy: 0xb_0000n } }))).toBe('SNP_DEBUG_ALLOWED');
    expect(await codeOf(judge({ ...simulated, crls: () => [] }))).toBe('SNP_CRL_MISSING');
  });
});

describe('evidence that claims hardware', () => {
  it('is never accepted under a simulated root', async () => {
    expect(await codeOf(judge({ simulatedRoot: 'own', anchors: vendor }))).toBe('SNP_ARK_NOT_PINNED');
  });
});
