import { describe, expect, it } from 'vitest';
import { forgeAmdChain, forgeCollateral, generateKeys, signRaw, type ForgedKeys } from '@fastness/testkit';
import { fakeKds, fakePcs, forgedPcsMaterial } from '@fastness/testkit/services';
import {
  amdChainRequest,
  amdCrlRequest,
  certificatesOf,
  evaluationNumbersRequest,
  pckCertificateRequest,
  pckCrlRequest,
  qeIdentityRequest,
  readEvaluationNumbers,
  rootCrlRequest,
  tcbInfoRequest,
  vcekRequest,
  type EndorsementRequest,
} from '../src/endorsements/index.ts';
import { codeOf, fake, forgedAmd, forgedIntel, intelAt, later, now, sourceFor } from './support/endorsements.ts';

const chainOfGenoa = amdChainRequest({ kind: 'vcek', product: 'Genoa' });

describe('answers that are wrong', () => {
  it('are refused when another root vouches for them', async () => {
    const { routes } = await forgedAmd();
    const stranger = await forgedAmd({ keys: { ark: await generateKeys('rsa-2048') } });
    const source = sourceFor({ anchors: stranger.anchors, services: { amd: (await fake(routes)).url } });
    expect(await codeOf(source.get(chainOfGenoa))).toBe('ENDORSEMENT_UNAUTHENTIC');
    const nobody = sourceFor({ anchors: {}, services: { amd: (await fake(routes)).url } });
    expect(await codeOf(nobody.get(chainOfGenoa))).toBe('ENDORSEMENT_UNAUTHENTIC');
  });

  it('are refused with a bit changed, wherever it is', async () => {
    const { anchors, routes, chain, material } = await forgedAmd();
    const issuers = certificatesOf(new TextEncoder().encode(material.chain));
    const [vcek] = material.vceks ?? [];
    if (vcek === undefined) throw new Error('no VCEK');
    const tcb = '0a00000000001954';
    const requests = [
      vcekRequest({ product: 'Genoa', hwid: vcek.hwid, tcb, chain: issuers }),
      amdCrlRequest({ kind: 'vcek', product: 'Genoa', chain: issuers }),
    ];
    const service = await fake(routes);
    for (const request of requests) {
      const source = sourceFor({ anchors, services: { amd: service.url } });
      service.recover();
      const { item } = await source.get(request);
      for (let offset = 4; offset < item.body.length; offset += 37) {
        service.recover();
        service.fail({ kind: 'edit', edit: (body) => body.map((byte, at) => (at === offset ? byte ^ 1 : byte)) });
        const fresh = sourceFor({ anchors, services: { amd: service.url } });
        expect(['ENDORSEMENT_UNAUTHENTIC', 'ENDORSEMENT_RESPONSE']).toContain(await codeOf(fresh.get(request)));
      }
    }
    expect(chain.product).toBe('Genoa');
  });

  it('are refused for another chip, TCB or product', async () => {
    const { anchors, material } = await forgedAmd();
    const other = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now });
    const issuers = certificatesOf(new TextEncoder().encode(material.chain));
    const [vcek] = material.vceks ?? [];
    const service = await fake(() => ({ body: other.certificates[0] }));
    const source = sourceFor({ anchors, services: { amd: service.url } });
    const ask = async (hwid: string, tcb: string) =>
      codeOf(source.get(vcekRequest({ product: 'Genoa', hwid, tcb, chain: issuers })));
    expect(await ask(vcek?.hwid ?? '', '0a00000000001954')).toBe('ENDORSEMENT_MISMATCH');
    expect(await ask(Buffer.from(other.hwid).toString('hex'), '0a00000000001955')).toBe('ENDORSEMENT_MISMATCH');
    expect(await ask(Buffer.from(other.hwid).toString('hex'), '0a00000000001954')).toBe('none');
    const vlek = await forgedAmd({ kind: 'vlek' });
    service.serve(() => ({ body: vlek.material.chain }));
    expect(await codeOf(source.get(chainOfGenoa))).toBe('ENDORSEMENT_MISMATCH');
    // The same certificates without a chain to judge them by: nothing is taken on trust.
    const bare = vcekRequest({ product: 'Genoa', hwid: '00', tcb: '0a00000000001954' });
    expect(await codeOf(source.get(bare))).toBe('ENDORSEMENT_EVIDENCE');
  });

  it('are refused outside their time', async () => {
    const { anchors, material, chain } = await forgedAmd();
    const issuers = certificatesOf(new TextEncoder().encode(material.chain));
    const request = amdCrlRequest({ kind: 'vcek', product: 'Genoa', chain: issuers });
    const answer = async (thisUpdate: Date, nextUpdate: Date | null): Promise<string> => {
      const crl = await chain.issueCrl({ thisUpdate, nextUpdate });
      const service = await fake(fakeKds([{ ...material, crl }]));
      return codeOf(sourceFor({ anchors, services: { amd: service.url } }).get(request));
    };
    expect(await answer(later(-3), later(-1))).toBe('ENDORSEMENT_STALE');
    expect(await answer(later(1), later(3))).toBe('ENDORSEMENT_STALE');
    expect(await answer(later(-1), null)).toBe('ENDORSEMENT_RESPONSE');
    expect(await answer(later(-1), later(1))).toBe('none');
  });

  const intel: [name: string, request: (root: Uint8Array) => EndorsementRequest | Promise<EndorsementRequest>][] = [
    ['TCB info', () => tcbInfoRequest({ tee: 'tdx', fmspc: '00f06d0a0000' })],
    ['QE identity', () => qeIdentityRequest({ tee: 'tdx' })],
    ['PCK list', () => pckCrlRequest({ ca: 'platform' })],
    ['root list', (root) => rootCrlRequest({ root })],
    [
      'PCK certificate',
      async () =>
        pckCertificateRequest({
          encryptedPpid: new Uint8Array(384).fill(7),
          cpuSvn: new Uint8Array(16),
          pceSvn: 13,
          pceId: '0000',
        }),
    ],
  ];

  it.each(intel)('%s is accepted as it is, and refused changed or from another root', async (_name, make) => {
    const { anchors, material, chain } = await forgedIntel();
    const request = await make(chain.certificates[2]);
    const service = await fake(fakePcs({ material: [material], pccs: true }));
    expect((await sourceFor({ anchors, services: intelAt(service) }).get(request)).from).toBe('network');
    const stranger = [{ name: 'x', spkiSha256: '11'.repeat(32), certificateSha256: '11'.repeat(32), source: 'x' }];
    const pinnedElsewhere = sourceFor({ anchors: { intel: stranger }, services: intelAt(service) });
    expect(await codeOf(pinnedElsewhere.get(request))).toBe('ENDORSEMENT_UNAUTHENTIC');
    const { item } = await sourceFor({ anchors, services: intelAt(service) }).get(request);
    for (let at = 3; at < item.body.length; at += 41) {
      service.recover();
      service.fail({ kind: 'edit', edit: (body) => body.map((byte, index) => (index === at ? byte ^ 1 : byte)) });
      const code = await codeOf(sourceFor({ anchors, services: intelAt(service) }).get(request));
      expect(['ENDORSEMENT_UNAUTHENTIC', 'ENDORSEMENT_RESPONSE'], `byte ${at}`).toContain(code);
    }
  });

  it.each([
    ['TCB-Info-Issuer-Chain', () => tcbInfoRequest({ tee: 'tdx', fmspc: '00f06d0a0000' })],
    ['SGX-Enclave-Identity-Issuer-Chain', () => qeIdentityRequest({ tee: 'tdx' })],
    ['SGX-PCK-CRL-Issuer-Chain', () => pckCrlRequest({ ca: 'platform' })],
  ] as const)('are refused without header %s', async (name, make) => {
    const { anchors, routes } = await forgedIntel();
    const service = await fake(routes);
    service.fail({ kind: 'without-header', name });
    expect(await codeOf(sourceFor({ anchors, services: intelAt(service) }).get(make()))).toBe('ENDORSEMENT_RESPONSE');
  });

  it('are refused when TCB info is of another platform, TEE or recovery', async () => {
    const { anchors, material, chain } = await forgedIntel();
    const ask = async (tcbInfo: object, request: EndorsementRequest): Promise<string> => {
      const collateral = await forgeCollateral({ chain, tee: 'tdx', now, tcbInfo });
      const service = await fake(() => ({
        body: collateral.tcbInfo,
        headers: { 'TCB-Info-Issuer-Chain': encodeURIComponent(material.tcbInfoIssuerChain) },
      }));
      return codeOf(sourceFor({ anchors, services: intelAt(service) }).get(request));
    };
    const fmspc = chain.platform.fmspc;
    const request = tcbInfoRequest({ tee: 'tdx', fmspc });
    expect(await ask({}, request)).toBe('none');
    expect(await ask({ fmspc: 'FFFFFFFFFFFF' }, request)).toBe('ENDORSEMENT_MISMATCH');
    expect(await ask({ id: 'SGX' }, request)).toBe('ENDORSEMENT_MISMATCH');
    expect(await ask({}, tcbInfoRequest({ tee: 'tdx', fmspc, update: 21 }))).toBe('ENDORSEMENT_MISMATCH');
    expect(await ask({}, tcbInfoRequest({ tee: 'tdx', fmspc, update: 20 }))).toBe('none');
  });

  it('are refused when another certificate of the same root signed them', async () => {
    const { anchors, chain } = await forgedIntel();
    const pem = (der: Uint8Array) =>
      `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
    const [pck, ca, root] = chain.certificates;
    const collateral = await forgeCollateral({ chain, tee: 'tdx', now, signWith: { tcbInfo: chain.keys.pck } });
    const service = await fake(() => ({
      body: collateral.tcbInfo,
      headers: { 'TCB-Info-Issuer-Chain': encodeURIComponent(pem(pck) + pem(ca) + pem(root)) },
    }));
    const source = sourceFor({ anchors, services: intelAt(service) });
    const request = tcbInfoRequest({ tee: 'tdx', fmspc: chain.platform.fmspc });
    expect(await codeOf(source.get(request))).toMatch(/^ENDORSEMENT_(?:UNAUTHENTIC|RESPONSE)$/);
  });

  it('are refused when the list is of the other CA', async () => {
    const platform = await forgedIntel('tdx', 'platform');
    const service = await fake(
      fakePcs({ material: [{ ...forgedPcsMaterial({ ...platform, tee: 'tdx' }), ca: 'processor' }] }),
    );
    const source = sourceFor({ anchors: platform.anchors, services: intelAt(service) });
    expect(await codeOf(source.get(pckCrlRequest({ ca: 'processor' })))).toBe('ENDORSEMENT_MISMATCH');
  });

  it('about TCB recoveries are accepted only as Intel signed them', async () => {
    const { anchors, chain, material } = await forgedIntel();
    const collateral = await forgeCollateral({ chain, tee: 'tdx', now });
    const request = evaluationNumbersRequest({ tee: 'tdx' });
    // The same signer over another document.
    const wrong = collateral.tcbInfo.replace('{"tcbInfo"', '{"tcbEvaluationDataNumbers"');
    const service = await fake(fakePcs({ material: [{ ...material, evaluationNumbers: wrong }] }));
    const source = sourceFor({ anchors, services: intelAt(service) });
    expect(await codeOf(source.get(request))).toBe('ENDORSEMENT_RESPONSE');

    const signed = JSON.stringify({
      id: 'TDX',
      version: 1,
      issueDate: later(-1).toISOString(),
      nextUpdate: later(29).toISOString(),
      tcbEvalNumbers: [
        {
          tcbEvaluationDataNumber: 20,
          tcbRecoveryEventDate: later(-90).toISOString(),
          tcbDate: later(-90).toISOString(),
        },
      ],
    });
    const answerBy = async (keys: ForgedKeys) => {
      const signature = await signRaw(keys, { kind: 'ecdsa', hash: 'SHA-256' }, new TextEncoder().encode(signed));
      const evaluationNumbers = `{"tcbEvaluationDataNumbers":${signed},"signature":"${Buffer.from(signature).toString('hex')}"}`;
      service.serve(fakePcs({ material: [{ ...material, evaluationNumbers }] }));
    };
    await answerBy(chain.keys.ca);
    expect(await codeOf(source.get(request))).toBe('ENDORSEMENT_UNAUTHENTIC');
    await answerBy(chain.keys.signer);
    const { item } = await source.get(request);
    expect(readEvaluationNumbers(item).tcbEvalNumbers[0]?.tcbEvaluationDataNumber).toBe(20);
    expect(await codeOf(source.get(evaluationNumbersRequest({ tee: 'sgx' })))).toBe('ENDORSEMENT_NOT_FOUND');
  });
});
