import { describe, expect, it } from 'vitest';
import {
  EVIDENCE_COLLECTION_TYPE,
  NVIDIA_ENDORSEMENTS_TYPE,
  SNP_ENDORSEMENTS_TYPE,
  verifyEvidence,
} from '@fastness/attest';
import { fakeDocuments, fakeKds, fakePcs, forgedKdsMaterial } from '@fastness/testkit/services';
import { completeEndorsements, fetchSubject, needsEndorsements, requestOf } from '../src/endorsements/index.ts';
import { prepare } from '../../attest/test/support/forge.ts';
import { prepareAndroid } from '../../attest/test/support/android-forge.ts';
import { codeOf, fake, forgedAmd, forgedIntel, intelAt, sourceFor } from './support/endorsements.ts';

const chip = 'ab'.repeat(64);
const digest = 'cd'.repeat(32);

describe('the name of an endorsement', () => {
  it.each([
    'amd/chain/vcek/Genoa',
    'amd/chain/vlek/Turin',
    'amd/crl/vlek/Milan',
    `amd/vcek/Genoa/${chip}/0a00000000001954`,
    `amd/vcek/Turin/${chip.slice(0, 16)}/0a00000000001954`,
    'intel/tcb-info/tdx/00f06d0a0000/early',
    'intel/tcb-info/sgx/00f06d0a0000/17',
    'intel/qe-identity/sgx/standard',
    'intel/tcb-evaluation-numbers/tdx',
    'intel/pck-crl/processor',
    'intel/root-crl',
    'nvidia/rim/NV_GPU_DRIVER_GH100_580.95.05',
    `nvidia/ocsp/${digest}`,
    `vtpm/issuer-chain/${digest}`,
    `vtpm/crl/${digest}`,
    `google/confidential-space-crl/${digest}`,
    `intel/pck/0000/${'0a'.repeat(16)}/13/${digest}`,
  ])('is read and written the same: %s', (subject) => {
    expect(requestOf(subject).subject).toBe(subject);
    expect(requestOf(subject).signed).toBe(true);
  });

  it.each([
    '',
    'amd',
    'amd/chain',
    'amd/chain/vcek/Rome',
    'amd/chain/vcek/Genoa/more',
    'amd/chain/VCEK/Genoa',
    `amd/vcek/Genoa/${chip.toUpperCase()}/0a00000000001954`,
    `amd/vcek/Turin/${chip}/0a00000000001954`,
    `amd/vcek/Genoa/${chip}/0a`,
    'intel/tcb-info/tdx/00F06D0A0000/early',
    'intel/tcb-info/tdx/00f06d0a0000/017',
    'intel/tcb-info/tdx/00f06d0a0000/soon',
    'intel/tcb-info/td/00f06d0a0000/early',
    'intel/root-crl/',
    'nvidia/rim/../x',
    'nvidia/rim/x/y',
    'nvidia/ocsp/short',
    'keys/nvidia-nras',
    'vtpm/crl/http:',
    `intel/pck/0000/${'0a'.repeat(16)}/013/${digest}`,
    `intel/pck/0000/${'0a'.repeat(16)}/13/${digest}/more`,
    '__proto__/constructor',
  ])('is refused when it is none: %s', async (subject) => {
    expect(await codeOf(async () => Promise.resolve(requestOf(subject)))).toBe('ENDORSEMENT_SUBJECT_UNKNOWN');
  });

  it('is enough to fetch it, and first what it is judged by', async () => {
    const [amd, intel] = [await forgedAmd(), await forgedIntel()];
    const services = {
      amd: (await fake(amd.routes)).url,
      ...intelAt(await fake(fakePcs({ material: [intel.material] }))),
    };
    const source = sourceFor({ anchors: { ...amd.anchors, ...intel.anchors }, services });
    const [vcek] = amd.material.vceks ?? [];
    const subjectsOf = async (subject: string) => (await fetchSubject(source, subject)).map(({ item }) => item.subject);
    expect(await subjectsOf('amd/crl/vcek/Genoa')).toEqual(['amd/chain/vcek/Genoa', 'amd/crl/vcek/Genoa']);
    expect(await subjectsOf(`amd/vcek/Genoa/${vcek?.hwid ?? ''}/0a00000000001954`)).toHaveLength(2);
    expect(await subjectsOf('intel/root-crl')).toEqual(['intel/pck-crl/platform', 'intel/root-crl']);
    expect(await subjectsOf('intel/qe-identity/tdx/standard')).toEqual(['intel/qe-identity/tdx/standard']);
    expect(await codeOf(fetchSubject(source, `nvidia/ocsp/${digest}`))).toBe('ENDORSEMENT_EVIDENCE');
    expect(await codeOf(fetchSubject(source, `vtpm/crl/${digest}`))).toBe('ENDORSEMENT_EVIDENCE');
  });
});

describe('a collection of evidence', () => {
  it('gets what each of its records lacks, in one list', async () => {
    const cpu = await prepare({ product: 'Genoa' });
    const android = await prepareAndroid({ status: () => null });
    const kds = await fake(fakeKds([forgedKdsMaterial(cpu.chain)]));
    const google = await fake(fakeDocuments({ '/attestation/status': '{"entries":{}}' }));
    const source = sourceFor({ anchors: cpu.anchors, services: { amd: kds.url, android: google.url } });
    const records = new Map([
      ['cpu0', cpu.evidence],
      ['key0', android.evidence],
    ]);
    const stray = { type: NVIDIA_ENDORSEMENTS_TYPE, value: Uint8Array.of(0xa0) };
    const { endorsements, androidStatus } = await completeEndorsements({
      evidence: { type: EVIDENCE_COLLECTION_TYPE, records },
      endorsements: [stray],
      source,
      now: cpu.now,
    });
    expect(endorsements.map(({ type }) => type)).toEqual([NVIDIA_ENDORSEMENTS_TYPE, SNP_ENDORSEMENTS_TYPE]);
    await verifyEvidence({ ...cpu, endorsements: endorsements.slice(1) });
    expect(androidStatus?.json).toBeInstanceOf(Uint8Array);
    expect(needsEndorsements(cpu.evidence.type)).toBe(true);
    expect(needsEndorsements('application/vnd.fastness.simulated-sev-snp+cbor')).toBe(false);
  });
});
