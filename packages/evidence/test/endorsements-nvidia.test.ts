import { describe, expect, it } from 'vitest';
import { vendorAnchors, verifyEvidence } from '@fastness/attest';
import { decodeNvidiaEndorsements, encodeNvidiaEndorsements, readRim } from '@fastness/attest/formats/nvidia';
import { forgeNvidiaChain, forgeRimChain, nvidiaLevels, rimLevels, type ForgedOcspAnswer } from '@fastness/testkit';
import { fakeOcsp, fakeRim, forgedOcspResponder, type SeenOcspRequest } from '@fastness/testkit/services';
import {
  completeEndorsements,
  encodeEndorsementBundle,
  openEndorsementCache,
  readEndorsementBundle,
  rimRequest,
} from '../src/endorsements/index.ts';
import { now, prepareNvidia, type NvidiaScenario } from '../../attest/test/support/nvidia-forge.ts';
import { readVector, vectorsPresent } from '../../attest/test/support/vectors.ts';
import { codeOf, fake, later, sourceFor, temporaryDirectory } from './support/endorsements.ts';

const VBIOS_ID = /^NV_(?:GPU_VBIOS|SWITCH_BIOS)_/;

/** A device that sends its report alone, NVIDIA's services, and how often each was asked. */
async function world(scenario: NvidiaScenario = {}, chip: Partial<ForgedOcspAnswer> = {}) {
  const { kind = 'gpu' } = scenario;
  const options = await prepareNvidia(scenario);
  const [chain, documents] = await Promise.all([
    forgeNvidiaChain({ now, chip: kind === 'gpu' ? 'GH100' : 'LS_10' }),
    forgeRimChain({ now }),
  ]);
  // Keys are shared for the life of the process and serials are fixed, so these chains are those of the evidence.
  const [given] = options.endorsements;
  const { rims } = decodeNvidiaEndorsements(given ?? options.evidence);
  const named = new Map<string, Uint8Array>();
  const rim = await fake(({ path, ...rest }) => {
    const id = path.replace('/v1/rim/', '');
    const document = rims.at(VBIOS_ID.test(id) ? -1 : 0);
    if (document !== undefined) named.set(id, document);
    return fakeRim(named)({ path, ...rest });
  });
  const device = forgedOcspResponder({ chain, levels: nvidiaLevels, now, answers: { chip } });
  const papers = forgedOcspResponder({ chain: documents, levels: rimLevels, now, delegated: false });
  const answer = async (request: SeenOcspRequest) => (await device(request)) ?? papers(request);
  const responder = await fake(fakeOcsp(answer));
  const services = { nvidiaRim: rim.url, nvidiaOcsp: responder.url };
  const source = sourceFor({ anchors: options.anchors, services });
  return { options, rim, responder, answer, services, source };
}

describe('NVIDIA evidence without endorsements', () => {
  it.each(['gpu', 'nvswitch'] as const)('is accepted with what the services hand out: %s', async (kind) => {
    const { options, source, rim, responder } = await world({ kind });
    const { endorsements, fetched } = await completeEndorsements({ ...options, endorsements: [], source });
    await verifyEvidence({ ...options, endorsements });
    expect(rim.requests).toHaveLength(kind === 'gpu' ? 2 : 1);
    expect(responder.requests).toHaveLength(6);
    expect(fetched.map(({ item }) => item.subject.split('/')[1])).toContain('ocsp');
  });

  it('asks the responder anew each time, and each time with another nonce', async () => {
    const { options, services, responder } = await world();
    const cache = await openEndorsementCache({ directory: await temporaryDirectory() });
    const source = sourceFor({ anchors: options.anchors, services, cache });
    await completeEndorsements({ ...options, endorsements: [], source });
    await completeEndorsements({ ...options, endorsements: [], source });
    expect(responder.requests).toHaveLength(12);
    expect(new Set(responder.requests.map(({ body }) => Buffer.from(body).toString('hex'))).size).toBe(12);
  });

  it('goes on with answers that are still current while the responder is down, and not for longer', async () => {
    const { options, services, responder } = await world();
    const cache = await openEndorsementCache({ directory: await temporaryDirectory() });
    let time = now;
    const source = sourceFor({ anchors: options.anchors, services, cache, at: () => time });
    await completeEndorsements({ ...options, endorsements: [], source });
    responder.fail({ kind: 'status', status: 503 });
    const again = await completeEndorsements({ ...options, endorsements: [], source });
    expect(again.fetched.filter(({ refreshFailed }) => refreshFailed === 'ENDORSEMENT_UNAVAILABLE')).toHaveLength(6);
    await verifyEvidence({ ...options, endorsements: again.endorsements });
    time = later(1);
    expect(await codeOf(completeEndorsements({ ...options, endorsements: [], source }))).toBe(
      'ENDORSEMENT_UNAVAILABLE',
    );
  });

  it('keeps documents and answers that came along, and fetches the rest', async () => {
    const { options, source, rim, responder } = await world();
    const [given] = options.endorsements;
    if (given === undefined) throw new Error('no endorsements');
    const { rims, ocspResponses } = decodeNvidiaEndorsements(given);
    await completeEndorsements({ ...options, source });
    expect([rim.requests.length, responder.requests.length]).toEqual([0, 0]);
    const half = encodeNvidiaEndorsements({ rims: rims.slice(0, 1), ocspResponses: ocspResponses.slice(0, 3) });
    const { endorsements } = await completeEndorsements({ ...options, endorsements: [half], source });
    expect([rim.requests.length, responder.requests.length]).toEqual([1, 3]);
    await verifyEvidence({ ...options, endorsements });
    await completeEndorsements({ ...options, source, prefer: 'fetched' });
    expect(responder.requests).toHaveLength(9);
  });

  it('hands a revocation on to the verifier, which refuses', async () => {
    const { options, source } = await world({}, { status: { revoked: now, reason: 1 } });
    const { endorsements } = await completeEndorsements({ ...options, endorsements: [], source });
    expect(await codeOf(verifyEvidence({ ...options, endorsements }))).toBe('NVIDIA_CERTIFICATE_REVOKED');
  });

  it('travels in a bundle', async () => {
    const { options, source } = await world();
    const { fetched } = await completeEndorsements({ ...options, endorsements: [], source });
    const bundle = encodeEndorsementBundle(fetched, now);
    const endorsements = readEndorsementBundle(bundle, { evidence: options.evidence });
    await verifyEvidence({ ...options, endorsements });
  });
});

describe('answers of an OCSP responder', () => {
  it.each([
    ['without a nonce', async (answer, request) => answer({ ...request, nonce: undefined }), 'ENDORSEMENT_NONCE'],
    [
      'with the nonce of another request',
      async (answer, request) => answer({ ...request, nonce: new Uint8Array(32) }),
      'ENDORSEMENT_NONCE',
    ],
    ['that are none', async () => Promise.resolve(new Uint8Array(40)), 'ENDORSEMENT_RESPONSE'],
    [
      'that say the responder is busy',
      async () => Promise.resolve(Uint8Array.of(0x30, 3, 0x0a, 1, 3)),
      'ENDORSEMENT_RESPONSE',
    ],
    [
      'with a bit of the signature changed',
      async (answer, request) =>
        (await answer(request))?.map((byte, at, all) => (at === all.length - 500 ? byte ^ 1 : byte)),
      'ENDORSEMENT_UNAUTHENTIC|ENDORSEMENT_RESPONSE',
    ],
  ] as [
    string,
    (
      answer: (request: SeenOcspRequest) => Promise<Uint8Array | undefined>,
      request: SeenOcspRequest,
    ) => Promise<Uint8Array | undefined>,
    string,
  ][])('%s are refused', async (_what, change, code) => {
    const { options, source, responder, answer } = await world();
    responder.serve(fakeOcsp(async (request) => change(answer, request)));
    expect(await codeOf(completeEndorsements({ ...options, endorsements: [], source }))).toMatch(
      new RegExp(`^(?:${code})$`),
    );
  });

  it('about another certificate are refused', async () => {
    const { options, source, responder, answer } = await world();
    responder.serve(
      fakeOcsp(async (request) => {
        const chain = await forgeNvidiaChain({ now });
        return answer({ ...request, serial: chain.serials.line.toString(16) });
      }),
    );
    expect(await codeOf(completeEndorsements({ ...options, endorsements: [], source }))).toBe('ENDORSEMENT_MISMATCH');
  });

  it('from before are refused', async () => {
    const { options, source } = await world({}, { thisUpdate: later(-3), nextUpdate: later(-2) });
    expect(await codeOf(completeEndorsements({ ...options, endorsements: [], source }))).toBe('ENDORSEMENT_STALE');
  });
});

describe('documents of the RIM service', () => {
  const id = 'NV_GPU_DRIVER_GH100_580.95.05';
  it.each([
    ['that are no JSON', () => 'x', 'ENDORSEMENT_RESPONSE'],
    ['of another name', (answer: object) => JSON.stringify({ ...answer, id: 'NV_OTHER' }), 'ENDORSEMENT_MISMATCH'],
    [
      'of another digest',
      (answer: object) => JSON.stringify({ ...answer, sha256: '00'.repeat(32) }),
      'ENDORSEMENT_RESPONSE',
    ],
    ['in another alphabet', (answer: object) => JSON.stringify({ ...answer, rim: '_-_-' }), 'ENDORSEMENT_RESPONSE'],
  ])('%s are refused', async (_what, change, code) => {
    const { options, source, rim } = await world();
    const { rims } = decodeNvidiaEndorsements(options.endorsements[0] ?? options.evidence);
    rim.serve(async (request) => {
      const right = await fakeRim(new Map([[id, rims[0] ?? new Uint8Array()]]))(request);
      return { body: change(JSON.parse(String(right?.body)) as object) };
    });
    expect(await codeOf(source.get(rimRequest({ id })))).toBe(code);
  });

  it('are refused for another version, with a byte changed, and from another root', async () => {
    const { options, source, services, rim } = await world();
    const [document] = decodeNvidiaEndorsements(options.endorsements[0] ?? options.evidence).rims;
    if (document === undefined) throw new Error('no document');
    const serve = (name: string, bytes: Uint8Array) => rim.serve(fakeRim(new Map([[name, bytes]])));
    serve('NV_GPU_DRIVER_GH100_580.95.04', document);
    expect(await codeOf(source.get(rimRequest({ id: 'NV_GPU_DRIVER_GH100_580.95.04' })))).toBe('ENDORSEMENT_MISMATCH');
    for (let at = 40; at < document.length; at += 499) {
      serve(
        id,
        document.map((byte, index) => (index === at ? byte ^ 1 : byte)),
      );
      const code = await codeOf(sourceFor({ anchors: options.anchors, services }).get(rimRequest({ id })));
      expect(['ENDORSEMENT_UNAUTHENTIC', 'ENDORSEMENT_RESPONSE', 'ENDORSEMENT_MISMATCH']).toContain(code);
    }
    serve(id, document);
    const stranger = sourceFor({ anchors: vendorAnchors, services });
    expect(await codeOf(stranger.get(rimRequest({ id })))).toBe('ENDORSEMENT_UNAUTHENTIC');
    expect((await source.get(rimRequest({ id }))).from).toBe('network');
  });

  it('are not asked for by a name that is a path', async () => {
    for (const name of ['../x', 'a/b', '', 'x y', '%2e']) {
      expect(await codeOf(async () => Promise.resolve(rimRequest({ id: name })))).toBe('ENDORSEMENT_EVIDENCE');
    }
  });

  it.skipIf(!vectorsPresent)('that were recorded are authentic under the pinned root', async () => {
    const folder = 'nvidia/NVIDIA__nvtrust/guest_tools/gpu_verifiers/local_gpu_verifier/src/verifier/samples';
    const document = readVector(`${folder}/1010_0200_882_96005E0001_PROD.swidtag`);
    const recorded = 'NV_GPU_VBIOS_1010_0200_882_96005E0001';
    const service = await fake(fakeRim(new Map([[recorded, document]])));
    const source = sourceFor({ anchors: vendorAnchors, services: { nvidiaRim: service.url } });
    const { item } = await source.get(rimRequest({ id: recorded }));
    expect(readRim(item.body).version).toBe('96.00.5E.00.01');
  });
});
