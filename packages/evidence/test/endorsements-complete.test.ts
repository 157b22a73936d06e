import { describe, expect, it } from 'vitest';
import { SNP_ENDORSEMENTS_TYPE, verifyEvidence } from '@fastness/attest';
import { decodeSnpEndorsements } from '@fastness/attest/formats/snp';
import { fakeKds, fakePcs, forgedKdsMaterial, forgedPcsMaterial } from '@fastness/testkit/services';
import { forgeCollateral } from '@fastness/testkit';
import {
  completeEndorsements,
  encodeEndorsementBundle,
  pccsServices,
  readEndorsementBundle,
} from '../src/endorsements/index.ts';
import { prepare, type Scenario } from '../../attest/test/support/forge.ts';
import { prepareDcap, type DcapScenario } from '../../attest/test/support/dcap-forge.ts';
import { codeOf, fake, intelAt, later, now, sourceFor } from './support/endorsements.ts';

/** Evidence as a machine without any certificates would send it, and a service that has them. */
async function snpWorld(scenario: Scenario = {}) {
  const options = await prepare({ product: 'Genoa', ...scenario });
  const service = await fake(fakeKds([forgedKdsMaterial(options.chain)]));
  const source = sourceFor({ anchors: options.anchors, services: { amd: service.url } });
  return { options, service, source };
}

async function dcapWorld(scenario: DcapScenario = {}) {
  const options = await prepareDcap(scenario);
  const { chain, collateral } = options;
  const tee = scenario.kind === 'sgx' ? 'sgx' : 'tdx';
  const ca = scenario.chain?.issuer ?? 'platform';
  const material = forgedPcsMaterial({ chain, collateral, tee, ca });
  const service = await fake(fakePcs({ material: [material] }));
  const source = sourceFor({ anchors: options.anchors, services: intelAt(service) });
  return { options, service, source, material };
}

describe('SEV-SNP evidence without endorsements', () => {
  it.each(['Milan', 'Genoa', 'Turin'] as const)('is accepted with what AMD serves for %s', async (product) => {
    const { options, service, source } = await snpWorld({ product });
    const completed = await completeEndorsements({ ...options, endorsements: [], source });
    const verdict = await verifyEvidence({ ...options, endorsements: completed.endorsements });
    expect(verdict.claims.tee).toBe('sev-snp');
    expect(service.requests.map(({ path }) => path.split('/').at(-1)?.slice(0, 10))).toHaveLength(3);
    expect(completed.fetched.map(({ item }) => item.subject.split('/').slice(0, 2).join('/'))).toEqual([
      'amd/chain',
      'amd/vcek',
      'amd/crl',
    ]);
  });

  it('asks for a chip of Turin by 8 bytes and by its FMC', async () => {
    const { options, service, source } = await snpWorld({ product: 'Turin' });
    await completeEndorsements({ ...options, endorsements: [], source });
    const vcek = service.requests.find(({ query }) => query.has('blSPL'));
    expect(vcek?.path).toMatch(/^\/vcek\/v1\/Turin\/[0-9a-f]{16}$/);
    expect([...(vcek?.query.keys() ?? [])].sort()).toEqual(['blSPL', 'fmcSPL', 'snpSPL', 'teeSPL', 'ucodeSPL']);
  });

  it('fetches what is above a VLEK, and its list', async () => {
    const { options, service, source } = await snpWorld({
      kind: 'vlek',
      certificates: (chain) => [chain.certificates[0]],
      crls: () => [],
    });
    const { endorsements } = await completeEndorsements({ ...options, source });
    await verifyEvidence({ ...options, endorsements });
    expect(service.requests.map(({ path }) => path)).toEqual(['/vlek/v1/Genoa/cert_chain', '/vlek/v1/Genoa/crl']);
  });

  it('leaves a missing VLEK to the verifier: no service hands it out', async () => {
    const { options, source } = await snpWorld({ kind: 'vlek', certificates: () => [], crls: () => [] });
    const { endorsements } = await completeEndorsements({ ...options, source });
    expect(await codeOf(verifyEvidence({ ...options, endorsements }))).toBe('SNP_LEAF_MISSING');
  });

  it('asks for nothing when everything came along', async () => {
    const { options, service, source } = await snpWorld();
    const completed = await completeEndorsements({ ...options, source });
    expect(completed.endorsements).toEqual(options.endorsements);
    expect(service.requests).toEqual([]);
  });

  it('fetches a list in place of one that has expired', async () => {
    const { options, source } = await snpWorld({
      crls: async (chain) => [await chain.issueCrl({ thisUpdate: later(-60), nextUpdate: later(-30) })],
    });
    expect(await codeOf(verifyEvidence(options))).toBe('SNP_CRL_EXPIRED');
    const { endorsements } = await completeEndorsements({ ...options, source });
    await verifyEvidence({ ...options, endorsements });
  });

  it('takes the list of the source over a current one of the sender when told to', async () => {
    const { options, service, source } = await snpWorld();
    const revoked = [{ serial: 0x2_0001, date: later(-1) }];
    const crl = await options.chain.issueCrl({ revoked, number: 2 });
    service.serve(fakeKds([{ ...forgedKdsMaterial(options.chain), crl }]));
    const trusting = await completeEndorsements({ ...options, source });
    await verifyEvidence({ ...options, endorsements: trusting.endorsements });
    const { endorsements } = await completeEndorsements({ ...options, source, prefer: 'fetched' });
    expect(await codeOf(verifyEvidence({ ...options, endorsements }))).toBe('SNP_CERTIFICATE_REVOKED');
  });

  it('tries the products it is given for a report that names none', async () => {
    const { options, service, source } = await snpWorld({ product: 'Milan', report: { version: 2 } });
    const milan = await prepare({ product: 'Milan' });
    expect(milan.chain.product).toBe('Milan');
    const genoa = await prepare({ product: 'Genoa' });
    service.serve(fakeKds([forgedKdsMaterial(genoa.chain), forgedKdsMaterial(options.chain)]));
    const both = { snp: [...(genoa.anchors.snp ?? []), ...(options.anchors.snp ?? [])] };
    const asking = sourceFor({ anchors: both, services: { amd: service.url } });
    expect(await codeOf(completeEndorsements({ ...options, endorsements: [], source }))).toBe('ENDORSEMENT_EVIDENCE');
    const { endorsements } = await completeEndorsements({
      ...options,
      endorsements: [],
      source: asking,
      products: ['Genoa', 'Milan'],
    });
    await verifyEvidence({ ...options, endorsements });
  });

  it.each([
    ['a masked chip id', { chipId: new Uint8Array(64) }, 'ENDORSEMENT_EVIDENCE'],
    ['a masked chip key', { flags: 2 }, 'ENDORSEMENT_EVIDENCE'],
    [
      'a TCB that AMD has no VCEK for',
      { reportedTcb: { bootloader: 1, tee: 0, snp: 1, microcode: 1 } },
      'ENDORSEMENT_NOT_FOUND',
    ],
  ] as const)('says what is wrong with %s', async (_what, report, code) => {
    const { options, source } = await snpWorld({ report });
    expect(await codeOf(completeEndorsements({ ...options, endorsements: [], source }))).toBe(code);
  });

  it('fetches nothing for simulated evidence', async () => {
    const { options, service, source } = await snpWorld({ simulated: true, simulatedRoot: 'own' });
    const { endorsements } = await completeEndorsements({ ...options, endorsements: [], source });
    expect(endorsements).toEqual([]);
    expect(service.requests).toEqual([]);
  });

  it('adds the list alone when only the list is missing', async () => {
    const { options, source } = await snpWorld({ crls: () => [] });
    const { endorsements } = await completeEndorsements({ ...options, source });
    const added = endorsements.at(-1);
    expect(added?.type).toBe(SNP_ENDORSEMENTS_TYPE);
    expect(added && decodeSnpEndorsements(added)).toMatchObject({ certificates: [], crls: [expect.any(Uint8Array)] });
  });
});

describe('Intel quotes without collateral', () => {
  it.each(['td-1.0', 'td-1.5', 'sgx'] as const)('are accepted with what Intel serves: %s', async (kind) => {
    const { options, service, source } = await dcapWorld({ kind });
    const completed = await completeEndorsements({ ...options, endorsements: [], source });
    const verdict = await verifyEvidence({ ...options, endorsements: completed.endorsements });
    expect(verdict.claims.tee).toBe(kind === 'sgx' ? 'sgx' : 'tdx');
    expect(service.requests).toHaveLength(4);
    expect(completed.fetched).toHaveLength(4);
  });

  it('asks for the list of the processor CA where that issued the PCK certificate', async () => {
    const { options, service, source } = await dcapWorld({ chain: { issuer: 'processor' } });
    const { endorsements } = await completeEndorsements({ ...options, endorsements: [], source });
    await verifyEvidence({ ...options, endorsements });
    expect(service.requests.map(({ query }) => query.get('ca')).filter(Boolean)).toEqual(['processor']);
  });

  it.each(['early', 17] as const)('asks for the TCB recovery named: %s', async (update) => {
    const { options, service, source, material } = await dcapWorld();
    const { chain } = options;
    const collateral = await forgeCollateral({
      chain,
      tee: 'tdx',
      now,
      tcbInfo: { tcbEvaluationDataNumber: 17 },
      qeIdentity: { tcbEvaluationDataNumber: 17 },
    });
    const other = { ...forgedPcsMaterial({ chain, collateral, tee: 'tdx' }), update: `${update}` };
    service.serve(fakePcs({ material: [{ ...material, update: 'standard' }, other] }));
    const { fetched } = await completeEndorsements({ ...options, endorsements: [], source, update });
    expect(fetched[0]?.judgement.number).toBe(17n);
  });

  it.each([
    ['a list of the root', 'rootCaCrl'],
    ['a list of the PCK CA', 'pckCrl'],
  ] as const)('adds %s and keeps the rest', async (_what, name) => {
    const { options, service, source } = await dcapWorld({
      sent: ({ [name]: _left, ...others }) => others,
    });
    expect(await codeOf(verifyEvidence(options))).toBe('DCAP_CRL_MISSING');
    const { endorsements } = await completeEndorsements({ ...options, source });
    await verifyEvidence({ ...options, endorsements });
    expect(service.requests).toHaveLength(1);
  });

  it('fetches TCB info in place of one that has expired, and keeps the bytes of the rest', async () => {
    const stale = { issueDate: later(-60).toISOString(), nextUpdate: later(-30).toISOString() };
    const { options, service, source, material } = await dcapWorld({ collateral: { tcbInfo: stale } });
    const fresh = await forgeCollateral({ chain: options.chain, tee: 'tdx', now });
    service.serve(fakePcs({ material: [{ ...material, tcbInfo: fresh.tcbInfo }] }));
    expect(await codeOf(verifyEvidence(options))).toBe('DCAP_TCB_INFO_WINDOW');
    const { endorsements } = await completeEndorsements({ ...options, source });
    await verifyEvidence({ ...options, endorsements });
  });

  it.each([false, true])('takes the answers of a PCCS, lists in PEM: %s', async (pem) => {
    const { options, service, material } = await dcapWorld();
    service.serve(fakePcs({ material: [material], pccs: true, pem }));
    const source = sourceFor({ anchors: options.anchors, services: pccsServices(`${service.url}/`) });
    const { endorsements } = await completeEndorsements({ ...options, endorsements: [], source });
    await verifyEvidence({ ...options, endorsements });
    expect(service.requests.map(({ path }) => path)).toContain('/sgx/certification/v4/rootcacrl');
  });

  it.each([2, 3])('fetches the PCK certificate that an encrypted PPID names, type %s', async (certificationType) => {
    const { options, service, material } = await dcapWorld({ kind: 'sgx', quote: { certificationType } });
    service.serve(fakePcs({ material: [material], pccs: true }));
    const source = sourceFor({ anchors: options.anchors, services: pccsServices(`${service.url}/`) });
    const completed = await completeEndorsements({ ...options, endorsements: [], source });
    await verifyEvidence({ ...options, endorsements: completed.endorsements });
    expect(completed.fetched).toHaveLength(5);
    // The rest is there: what came with the certificate is kept when something else has to be fetched.
    const without = await completeEndorsements({ ...options, source });
    await verifyEvidence({ ...options, endorsements: without.endorsements });
    const bundle = encodeEndorsementBundle(completed.fetched, now);
    const carried = readEndorsementBundle(bundle, { evidence: options.evidence });
    await verifyEvidence({ ...options, endorsements: carried });
  });

  it('says so where no service can be asked for the PCK certificate', async () => {
    const { options, source } = await dcapWorld({ kind: 'sgx', quote: { certificationType: 1 } });
    expect(await codeOf(completeEndorsements({ ...options, endorsements: [], source }))).toBe('ENDORSEMENT_EVIDENCE');
  });
});
