import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ANDROID_STATUS_TYPE, JWK_SET_TYPE, verifyEvidence } from '@fastness/attest';
import { encodePem } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';
import {
  akExtensions,
  basicConstraints,
  crlDistributionPoint,
  forgeAndroidStatus,
  forgeTokenCrl,
  forgeTokenIssuer,
  instanceInfo,
  keyUsage,
  type ForgedExtension,
} from '@fastness/testkit';
import { fakeAzureThim, fakeDocuments, fakeKds, forgedKdsMaterial } from '@fastness/testkit/services';
import {
  androidStatusRequest,
  completeEndorsements,
  confidentialSpaceRootRequest,
  decodeEndorsementBundle,
  encodeEndorsementBundle,
  importEndorsementBundle,
  issuerCertificateRequest,
  keySetRequest,
  openEndorsementCache,
  openIdConfigurationRequest,
  readEndorsementBundle,
  thimVcekRequest,
} from '../src/endorsements/index.ts';
import { prepareAndroid } from '../../attest/test/support/android-forge.ts';
import { prepareAzureVtpm } from '../../attest/test/support/azure-vtpm-forge.ts';
import { prepare } from '../../attest/test/support/forge.ts';
import { prepareGcpVtpm } from '../../attest/test/support/gcp-vtpm-forge.ts';
import { MAA_ISSUER, prepareToken, rootAnchors } from '../../attest/test/support/token-forge.ts';
import { codeOf, fake, intelAt, later, now, sourceFor, temporaryDirectory } from './support/endorsements.ts';

const HOST = 'privateca-content-1.storage.googleapis.com';

/** An authority of Confidential Space that names where its issuer's list lies. */
const spaceAuthority: ForgedExtension[] = [
  basicConstraints({ ca: true }),
  keyUsage('keyCertSign', 'cRLSign'),
  crlDistributionPoint(`http://${HOST}/r/crl.crl`),
];

describe('tokens without the keys of their issuer', () => {
  it.each([
    ['azure-maa', '/certs', 'azureMaa'],
    ['intel-trust-authority', '/certs', 'intelTrustAuthority'],
    ['nvidia-nras', '/.well-known/jwks.json', 'nvidiaNras'],
  ] as const)('are accepted with what %s publishes', async (service, path, name) => {
    const options = await prepareToken({ service });
    const [set] = options.endorsements;
    const keys = await fake(fakeDocuments({ [path]: new TextDecoder().decode(set?.value) }));
    const source = sourceFor({ anchors: options.anchors, services: { [name]: keys.url } });
    expect(await codeOf(verifyEvidence({ ...options, endorsements: [] }))).toBe('TOKEN_KEY_UNKNOWN');
    const { endorsements } = await completeEndorsements({ ...options, endorsements: [], source });
    await verifyEvidence({ ...options, endorsements });
    // A set that came along is replaced, not joined: a key id may be given once.
    const fresh = await completeEndorsements({ ...options, source, prefer: 'fetched' });
    expect(fresh.endorsements).toHaveLength(1);
    await verifyEvidence({ ...options, endorsements: fresh.endorsements });
  });

  it('of Confidential Space that carry their chain need the list that it names', async () => {
    let list = new Uint8Array(0);
    const options = await prepareToken({
      service: 'gcp-confidential-space',
      issuer: { levels: { intermediate: { extensions: spaceAuthority } } },
      lists: async (issuer) => {
        list = Uint8Array.from(await forgeTokenCrl(issuer, { now }));
        return [];
      },
    });
    expect(await codeOf(verifyEvidence(options))).toBe('TOKEN_CRL_MISSING');
    const mirror = await fake(fakeDocuments({ [`/${HOST}/r/crl.crl`]: list }));
    const source = sourceFor({ anchors: options.anchors, services: { vtpmMirror: mirror.url } });
    const { endorsements, fetched } = await completeEndorsements({ ...options, source });
    await verifyEvidence({ ...options, endorsements });
    expect(mirror.requests).toHaveLength(1);
    // One that came along and is current is kept, and a bundle carries it to where there is no network.
    expect((await completeEndorsements({ ...options, endorsements, source })).fetched).toEqual([]);
    const bundle = encodeEndorsementBundle(fetched, now);
    const carried = readEndorsementBundle(bundle, { evidence: options.evidence });
    await verifyEvidence({ ...options, endorsements: carried });
    // Whoever forges a chain decides what it names: nothing is asked for before its root is known.
    const strangers = sourceFor({ anchors: {}, services: { vtpmMirror: mirror.url } });
    expect(await codeOf(completeEndorsements({ ...options, source: strangers }))).toBe('ENDORSEMENT_UNAUTHENTIC');
    expect(mirror.requests).toHaveLength(1);
  });

  it('of Confidential Space without a chain need its keys', async () => {
    const keys = await fake(fakeDocuments({}));
    const services = { googleConfidentialSpaceKeys: keys.url };
    const options = await prepareToken({ service: 'gcp-confidential-space' });
    const source = sourceFor({ anchors: options.anchors, services });
    const bare = await prepareToken({ service: 'gcp-confidential-space', jws: { header: { x5c: undefined } } });
    expect(await codeOf(completeEndorsements({ ...bare, endorsements: [], source }))).toBe('ENDORSEMENT_NOT_FOUND');
  });

  it.each([
    'https://attest.azure.net.evil.example',
    'https://evil.example/.attest.azure.net',
    'http://x.weu.attest.azure.net',
    'https://x.weu.attest.azure.net:8443',
    'https://x@y.attest.azure.net',
    'https://169.254.169.254',
    '',
  ])('make nobody ask an issuer that is not Azure: %s', async (issuer) => {
    expect(await codeOf(async () => Promise.resolve(keySetRequest({ service: 'azure-maa', issuer })))).toBe(
      'ENDORSEMENT_EVIDENCE',
    );
  });

  it.each([
    ['no JSON', 'x'],
    ['no object', '[]'],
    ['no keys', '{}'],
  ])('are not given a set that is %s', async (_what, body) => {
    const keys = await fake(fakeDocuments({ '/.well-known/jwks.json': body }));
    const source = sourceFor({ anchors: {}, services: { nvidiaNras: keys.url } });
    expect(await codeOf(source.get(keySetRequest({ service: 'nvidia-nras' })))).toBe('ENDORSEMENT_RESPONSE');
  });

  it('come from a provider that names itself', async () => {
    const path = '/.well-known/openid-configuration';
    const answer = async (configuration: object) => {
      const provider = await fake(fakeDocuments({ [path]: JSON.stringify(configuration) }));
      const source = sourceFor({
        anchors: {},
        services: { azureMaa: provider.url, googleConfidentialSpace: provider.url },
      });
      return codeOf(source.get(openIdConfigurationRequest({ service: 'azure-maa', issuer: MAA_ISSUER })));
    };
    const right = { issuer: MAA_ISSUER, jwks_uri: `${MAA_ISSUER}/certs` };
    expect(await answer(right)).toBe('none');
    expect(await answer({ ...right, issuer: 'https://other.weu.attest.azure.net' })).toBe('ENDORSEMENT_MISMATCH');
    expect(await answer({ ...right, jwks_uri: 'http://x' })).toBe('ENDORSEMENT_RESPONSE');
  });

  it('may end in a root that is pinned, and in no other', async () => {
    const issuer = await forgeTokenIssuer({ now, algorithm: 'RS256' });
    const path = '/.well-known/confidential_space_root.crt';
    const root = issuer.certificates.root;
    const google = await fake(fakeDocuments({ [path]: root }));
    const services = { googleConfidentialSpace: google.url };
    const request = confidentialSpaceRootRequest();
    expect(await codeOf(sourceFor({ anchors: rootAnchors(issuer), services }).get(request))).toBe('none');
    expect(await codeOf(sourceFor({ anchors: {}, services }).get(request))).toBe('ENDORSEMENT_UNAUTHENTIC');
    google.serve(() => ({ body: encodePem(root, 'CERTIFICATE') }));
    expect(await codeOf(sourceFor({ anchors: rootAnchors(issuer), services }).get(request))).toBe('none');
  });
});

describe('documents that nobody signs', () => {
  const request = keySetRequest({ service: 'nvidia-nras' });
  const key = new Uint8Array(32).fill(9);
  const world = async (options: { key?: Uint8Array } = {}) => {
    const service = await fake(fakeDocuments({ '/.well-known/jwks.json': '{"keys":[]}' }));
    const cache = await openEndorsementCache({ directory: await temporaryDirectory(), ...options });
    let time = now;
    const source = sourceFor({ anchors: {}, services: { nvidiaNras: service.url }, cache, at: () => time });
    return { service, source, cache, setTime: (date: Date) => (time = date) };
  };

  it('are kept in no cache without a key', async () => {
    const { service, source, cache } = await world();
    await source.get(request);
    await source.get(request);
    expect(service.requests).toHaveLength(2);
    expect(await cache.read(request.subject)).toBeUndefined();
  });

  it('are kept in a cache with a key for an hour, and never used after it', async () => {
    const { service, source, setTime } = await world({ key });
    await source.get(request);
    expect((await source.get(request)).from).toBe('cache');
    setTime(later(1 / 23));
    service.fail({ kind: 'status', status: 503 });
    expect(await codeOf(source.get(request))).toBe('ENDORSEMENT_UNAVAILABLE');
  });

  it('travel in no bundle', async () => {
    const { source } = await world({ key });
    const { item } = await source.get(request);
    expect(await codeOf(source.put(request, item))).toBe('ENDORSEMENT_UNSIGNED');
    const offline = sourceFor({ anchors: {}, services: {}, items: [item], offline: true });
    expect(await codeOf(offline.get(request))).toBe('ENDORSEMENT_OFFLINE');
    expect(item.mediaType).toBe(JWK_SET_TYPE);
  });
});

describe('Android attestations', () => {
  it('are accepted with the list that Google serves, as an anchor', async () => {
    const options = await prepareAndroid({ status: () => null });
    expect(await codeOf(verifyEvidence(options))).toBe('ANDROID_STATUS_MISSING');
    const google = await fake(fakeDocuments({ '/attestation/status': forgeAndroidStatus() }));
    const source = sourceFor({ anchors: options.anchors, services: { android: google.url } });
    const { androidStatus, endorsements } = await completeEndorsements({ ...options, source });
    const { androidKey } = options.anchors;
    if (androidStatus === undefined || androidKey === undefined) throw new Error('no list');
    await verifyEvidence({
      ...options,
      endorsements,
      anchors: { ...options.anchors, androidKey: { ...androidKey, status: androidStatus } },
    });
    expect(androidStatus.fetchedAt).toEqual(now);
  });

  it('are given no list that is none', async () => {
    const google = await fake(fakeDocuments({ '/attestation/status': '{"entries":7}' }));
    const source = sourceFor({ anchors: {}, services: { android: google.url } });
    expect(await codeOf(source.get(androidStatusRequest()))).toBe('ENDORSEMENT_RESPONSE');
    expect(androidStatusRequest().mediaType).toBe(ANDROID_STATUS_TYPE);
  });
});

/** Says where the issuer's certificate lies. */
const issuerAt = (url: string): ForgedExtension => ({
  oid: '1.3.6.1.5.5.7.1.1',
  value: der.sequence(der.sequence(der.oid('1.3.6.1.5.5.7.48.2'), der.implicit(6, new TextEncoder().encode(url)))),
});
const names = (url: string): ForgedExtension[] => [
  keyUsage('digitalSignature'),
  basicConstraints({ ca: false }),
  instanceInfo(),
  issuerAt(url),
];
/** An intermediate that says where its root and the root's list lie. */
const intermediate = {
  extensions: [
    ...akExtensions('intermediate').filter(({ oid }) => oid !== '2.5.29.31'),
    crlDistributionPoint(`http://${HOST}/r/crl.crl`),
    issuerAt(`http://${HOST}/r/ca.crt`),
  ],
};

async function gcpWorld(location = `http://${HOST}/i/ca.crt`) {
  const options = await prepareGcpVtpm({ chain: { levels: { leaf: { extensions: names(location) }, intermediate } } });
  const { certificates, crl } = options.chain;
  const mirror = await fake(
    fakeDocuments({
      [`/${HOST}/i/ca.crt`]: certificates.intermediate,
      [`/${HOST}/r/ca.crt`]: certificates.root,
      [`/${HOST}/r/crl.crl`]: crl,
    }),
  );
  const services = { vtpmMirror: mirror.url };
  return { options, mirror, services, source: sourceFor({ anchors: options.anchors, services }) };
}

describe('virtual TPMs of Google', () => {
  it('are accepted with the certificates and the list that their certificates name', async () => {
    const { options, mirror, source } = await gcpWorld();
    const { endorsements, fetched } = await completeEndorsements({ ...options, endorsements: [], source });
    await verifyEvidence({ ...options, endorsements });
    expect(fetched).toHaveLength(3);
    expect(mirror.requests.map(({ path }) => path)).toEqual([
      `/${HOST}/i/ca.crt`,
      `/${HOST}/r/ca.crt`,
      `/${HOST}/r/crl.crl`,
    ]);
  });

  it('are accepted from a bundle, and from a cache that it filled', async () => {
    const { options, source } = await gcpWorld();
    const { fetched } = await completeEndorsements({ ...options, endorsements: [], source });
    const bytes = encodeEndorsementBundle(fetched, now);
    await verifyEvidence({ ...options, endorsements: readEndorsementBundle(bytes, { evidence: options.evidence }) });
    const cache = await openEndorsementCache({ directory: await temporaryDirectory() });
    const offline = sourceFor({ anchors: options.anchors, services: {}, cache, offline: true });
    const imported = await importEndorsementBundle(decodeEndorsementBundle(bytes), offline);
    expect(imported.map((each) => ('error' in each ? each.error.code : 'kept'))).toEqual(['kept', 'kept', 'kept']);
    const { endorsements } = await completeEndorsements({ ...options, endorsements: [], source: offline });
    await verifyEvidence({ ...options, endorsements });
  });

  it('are asked about once: what was fetched is kept', async () => {
    const { options, mirror, services } = await gcpWorld();
    const cache = await openEndorsementCache({ directory: await temporaryDirectory() });
    const source = sourceFor({ anchors: options.anchors, services, cache });
    await completeEndorsements({ ...options, endorsements: [], source });
    const again = await completeEndorsements({ ...options, endorsements: [], source });
    expect(again.fetched.map(({ from }) => from)).toEqual(['cache', 'cache', 'cache']);
    expect(mirror.requests).toHaveLength(3);
  });

  it('keep what came along', async () => {
    const { options, mirror, source } = await gcpWorld();
    const completed = await completeEndorsements({ ...options, source });
    expect(completed.endorsements).toEqual(options.endorsements);
    expect(mirror.requests).toEqual([]);
  });

  it.each([
    'http://169.254.169.254/latest/meta-data',
    `http://${HOST}.evil.example/i/ca.crt`,
    `http://evil.example/${HOST}/i/ca.crt`,
    `http://${HOST}@evil.example/i/ca.crt`,
    `http://${HOST}/../../secret`,
    `https://${HOST}:8443/i/ca.crt`,
    `file:///etc/passwd`,
  ])('make nobody ask an address outside those of Google and Microsoft: %s', async (location) => {
    expect(await codeOf(async () => Promise.resolve(issuerCertificateRequest({ location })))).toBe('ENDORSEMENT_URL');
    const { options, mirror, source } = await gcpWorld(location);
    expect(await codeOf(completeEndorsements({ ...options, endorsements: [], source }))).toBe('ENDORSEMENT_URL');
    expect(mirror.requests).toEqual([]);
  });

  it('that are forged make nobody ask for lists, and nothing of theirs is kept', async () => {
    const { options, mirror, services } = await gcpWorld();
    const directory = await temporaryDirectory();
    const cache = await openEndorsementCache({ directory });
    const forged = await prepareGcpVtpm({
      chain: {
        levels: {
          leaf: {
            extensions: names(`http://${HOST}/i/ca.crt`),
            tamper: { signature: (bytes) => bytes.map((byte) => byte ^ 1) },
          },
          intermediate,
        },
      },
    });
    const source = sourceFor({ anchors: options.anchors, services, cache });
    expect(await codeOf(completeEndorsements({ ...forged, endorsements: [], source }))).toBe('ENDORSEMENT_UNAUTHENTIC');
    expect(mirror.requests.map(({ path }) => path)).not.toContain(`/${HOST}/r/crl.crl`);
    expect(await readdir(join(directory, 'entries'))).toEqual([]);
    expect(await readdir(join(directory, 'marks'))).toEqual([]);
  });

  it('take no list that another authority signed', async () => {
    const { options, mirror, source } = await gcpWorld();
    const other = await prepareGcpVtpm({
      chain: { crl: { tamper: { signature: (bytes) => bytes.map((byte) => byte ^ 1) } } },
    });
    mirror.serve(({ path }) => {
      const { certificates } = options.chain;
      if (path.endsWith('crl.crl')) return { body: other.chain.crl };
      return { body: path.includes('/r/') ? certificates.root : certificates.intermediate };
    });
    expect(await codeOf(completeEndorsements({ ...options, endorsements: [], source }))).toBe(
      'ENDORSEMENT_UNAUTHENTIC',
    );
  });
});

describe('confidential VMs of Azure', () => {
  it('are accepted with what AMD serves for the hardware below', async () => {
    const options = await prepareAzureVtpm();
    const amd = await prepare({ product: 'Milan' });
    expect(await codeOf(verifyEvidence({ ...options, endorsements: [] }))).toBe('SNP_LEAF_MISSING');
    // The VCEK is in the endorsements that the forge made; the service hands it out.
    const { decodeSnpEndorsements } = await import('@fastness/attest/formats/snp');
    const [given] = options.endorsements;
    const { certificates } = decodeSnpEndorsements(given ?? options.evidence);
    const kds = await fake(({ path }) => {
      if (path.endsWith('cert_chain')) return { body: forgedKdsMaterial(amd.chain).chain };
      return { body: path.endsWith('crl') ? amd.chain.crl : (certificates[0] ?? '') };
    });
    const source = sourceFor({ anchors: options.anchors, services: { amd: kds.url } });
    const { endorsements } = await completeEndorsements({ ...options, endorsements: [], source });
    await verifyEvidence({ ...options, endorsements });
  });

  it('on TDX ask Intel', async () => {
    const options = await prepareAzureVtpm({ hardware: 'tdx' });
    const pcs = await fake(() => undefined);
    const source = sourceFor({ anchors: options.anchors, services: intelAt(pcs) });
    expect(await codeOf(completeEndorsements({ ...options, endorsements: [], source }))).toBe('ENDORSEMENT_NOT_FOUND');
    expect(pcs.requests.map(({ path }) => path)).toContain('/tdx/certification/v4/tcb');
  });

  it('learn their VCEK from the metadata of their own machine', async () => {
    const options = await prepare({ product: 'Genoa' });
    const { chain } = options;
    const material = forgedKdsMaterial(chain);
    const vcekCert = encodePem(chain.certificates[0], 'CERTIFICATE');
    const thim = await fake(fakeAzureThim({ vcekCert, certificateChain: material.chain }));
    const kds = await fake(fakeKds([{ ...material, vceks: [] }]));
    const services = { amd: kds.url, azureThim: thim.url };
    const source = sourceFor({ anchors: options.anchors, services });
    const completed = await completeEndorsements({ ...options, endorsements: [], source, amdFrom: 'azure-thim' });
    await verifyEvidence({ ...options, endorsements: completed.endorsements });
    expect(kds.requests.map(({ path }) => path)).toEqual(['/vcek/v1/Genoa/crl']);
    // Of another machine it takes nothing.
    const asked = { product: 'Genoa', hwid: 'ab'.repeat(64), tcb: '0a00000000001954' } as const;
    expect(await codeOf(source.get(thimVcekRequest(asked)))).toBe('ENDORSEMENT_MISMATCH');
    thim.serve(() => ({ body: '{}' }));
    expect(await codeOf(source.get(thimVcekRequest({ ...asked, hwid: 'cd'.repeat(64) })))).toBe('ENDORSEMENT_RESPONSE');
  });
});
