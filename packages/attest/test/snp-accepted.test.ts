import { toHex } from '@fastness/codec';
import { errorRegistry } from '@fastness/codec/errors';
import { forgedProducts, type ForgedProduct } from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { verifyEvidence, type AttestationVerdict } from '../src/index.ts';
import { codeOf } from './support/errors.ts';
import { judge, measurement, now, prepare, reportData } from './support/forge.ts';

const products: readonly ForgedProduct[] = ['Milan', 'Genoa', 'Turin'];
const combinations = products.flatMap((product) =>
  (['vcek', 'vlek'] as const).flatMap((kind) => [2, 3, 4, 5].map((version) => ({ product, kind, version }))),
);

describe('acceptable forged evidence', () => {
  it.each(combinations)('$product, $kind, report version $version', async ({ product, kind, version }) => {
    const { chain, ...options } = await prepare({ product, kind, report: { version } });
    const { claims, waivers } = await verifyEvidence(options);
    expect(waivers).toEqual([]);
    expect(claims).toMatchObject({
      tee: 'sev-snp',
      simulated: false,
      vendor: 'AMD',
      product,
      reportVersion: version,
      signingKey: kind,
      identity:
        kind === 'vcek' ? { kind: 'chip-id', value: toHex(chain.hwid) } : { kind: 'csp-id', value: chain.cspId },
      measurement: toHex(measurement),
      reportData: toHex(reportData),
      vmpl: 0,
      debug: false,
      migratable: false,
      smtAllowed: true,
      smtEnabled: true,
      aliasCheckComplete: true,
      policyBits: '0000000000030000',
      platformBits: '0000000000000025',
      verifiedAt: now.toISOString(),
    });
    const tcb = forgedProducts[product].tcb;
    expect(claims).toHaveProperty('tcb', { reported: tcb, committed: tcb, current: tcb, launch: tcb });
    expect('mitigations' in claims).toBe(version >= 5);
    expect(JSON.parse(JSON.stringify(claims))).toEqual(claims);
  });

  it('that meets every optional requirement', async () => {
    const hostData = new Uint8Array(32).fill(1);
    const digest = new Uint8Array(48).fill(2);
    const hwid = new Uint8Array(64).fill(3);
    const { claims, checks } = await judge({
      chain: { hwid },
      report: {
        policy: 0x2_0000n | (0b1_1101n << 20n) | (1n << 25n),
        platformInfo: 0x20n,
        flags: 1,
        hostData,
        idKeyDigest: digest,
        authorKeyDigest: digest,
        launchMitigations: 7n,
        currentMitigations: 3n,
        vmpl: 3,
      },
      snp: {
        denyProducts: ['Genoa'],
        vmpl: [1, 3],
        minimumTcb: { Milan: { bootloader: 4, tee: 0, snp: 27, microcode: 222 } },
        hostData: [toHex(hostData)],
        idKeyDigests: ['00'.repeat(48), toHex(digest)],
        authorKeyDigests: [toHex(digest)],
        chipIds: { allow: [toHex(hwid)], deny: ['00'.repeat(64)] },
        requireAliasCheck: true,
        requiredMitigations: '0000000000000003',
        requireProtections: [
          'single-socket',
          'memory-aes-256-xts',
          'rapl-disabled',
          'ciphertext-hiding',
          'page-swap-disabled',
        ],
        smt: 'refuse',
      },
    });
    expect(claims).toHaveProperty('mitigations', { launch: '0000000000000007', current: '0000000000000003' });
    const open = checks.filter((check) => check.outcome === 'not-applicable').map((check) => check.code);
    expect(open.toSorted()).toEqual(
      ['SIMULATED_EVIDENCE_REFUSED', 'SNP_CSP_ID_MISSING', 'SNP_CSP_NOT_ALLOWED', 'SNP_VLEK_CHIP_ID'].toSorted(),
    );
  });

  it('of a provider that the policy names', async () => {
    const { claims } = await judge({
      kind: 'vlek',
      chain: { cspId: 'CN=cloud.example' },
      snp: { cspIds: ['CN=other', 'CN=cloud.example'] },
    });
    expect(claims.identity).toEqual({ kind: 'csp-id', value: 'CN=cloud.example' });
  });

  it('with a chip id in an OCTET STRING, as DER asks for', async () => {
    const hwid = new Uint8Array(64).fill(9);
    const wrapped = Uint8Array.of(4, 64, ...hwid);
    const leafExtensions = (extensions: { oid: string; value: Uint8Array }[]) =>
      extensions.map((extension) =>
        extension.oid.endsWith('3704.1.4') ? { ...extension, value: wrapped } : extension,
      );
    const { claims } = await judge({ chain: { hwid, leafExtensions } });
    expect(claims.identity.value).toBe(toHex(hwid));
  });

  it('under the very root certificate that is pinned, whose own signature is then known', async () => {
    const { chain, anchors, ...options } = await prepare();
    const digest = await crypto.subtle.digest('SHA-256', Uint8Array.from(chain.ark.certificate));
    const certificateSha256 = toHex(new Uint8Array(digest));
    const known = { snp: (anchors.snp ?? []).map((anchor) => Object.assign({}, anchor, { certificateSha256 })) };
    const signature = ({ checks }: AttestationVerdict) =>
      checks.find(({ code }) => code === 'SNP_ARK_SIGNATURE')?.actual;
    expect(signature(await verifyEvidence({ ...options, anchors: known }))).toBe('the pinned certificate');
    expect(signature(await verifyEvidence({ ...options, anchors }))).toBe('it did');
  });

  it('with certificates and lists of other chains beside its own', async () => {
    const genoa = await prepare({ product: 'Genoa' });
    const { endorsements, ...milan } = await prepare();
    expect(await codeOf(verifyEvidence({ ...milan, endorsements: [...endorsements, ...genoa.endorsements] }))).toBe(
      'SNP_CERTIFICATES_AMBIGUOUS',
    );
    const chain = genoa.chain;
    const withoutLeaf = await judge({
      certificates: (own) => [...own.certificates, chain.intermediate.certificate, chain.ark.certificate],
      crls: (own) => [chain.crl, own.crl],
    });
    expect(withoutLeaf.claims).toHaveProperty('product', 'Milan');
  });

  it('leaves a record of every check that can fail once certificates are there', async () => {
    const { checks } = await judge();
    const recorded = new Set<string>(checks.map((check) => check.code));
    const selection = new Set([
      'SNP_CERT_TABLE_MALFORMED',
      'SNP_LEAF_MISSING',
      'SNP_INTERMEDIATE_MISSING',
      'SNP_ARK_MISSING',
      'SNP_CERTIFICATES_AMBIGUOUS',
      'SNP_LEAF_EXTENSIONS',
    ]);
    const codes = Object.keys(errorRegistry).filter((code) => code.startsWith('SNP_') && !selection.has(code));
    expect(codes.filter((code) => !recorded.has(code))).toEqual([]);
    expect(
      checks.every((check) => check.expected !== '' && (check.outcome === 'not-applicable') === (check.actual === '')),
    ).toBe(true);
  });
});

describe('waivers', () => {
  const debug = { policy: 0x3_0000n | (1n << 19n) };
  const migration = { policy: 0x3_0000n | (1n << 18n) };
  it.each([
    ['SNP_CRL_MISSING', { crls: () => [] }],
    ['SNP_CRL_EXPIRED', { chain: { crl: { nextUpdate: null } } }],
    ['SNP_DEBUG_ALLOWED', { report: debug }],
    ['SNP_MIGRATION_ALLOWED', { report: migration }],
    ['SNP_VLEK_CHIP_ID', { kind: 'vlek', report: { chipId: new Uint8Array(64).fill(7) } }],
  ] as const)('%s is reported when it was needed, and only then', async (check, scenario) => {
    const { waivers, checks } = await judge({ ...scenario, waive: [check] });
    expect(waivers).toEqual([
      { check, reason: `because of ${check}`, expected: expect.any(String), actual: expect.any(String) },
    ]);
    expect(checks.filter((record) => record.outcome === 'waived').map((record) => record.code)).toEqual([check]);
    const unused = await judge({ waive: [check] });
    expect(unused.waivers).toEqual([]);
  });

  it('cover one check each', async () => {
    expect(
      await codeOf(judge({ report: { policy: 0x3_0000n | (0b11n << 18n) }, waive: ['SNP_MIGRATION_ALLOWED'] })),
    ).toBe('SNP_DEBUG_ALLOWED');
    expect(await codeOf(judge({ crls: () => [], waive: ['SNP_CRL_EXPIRED'] }))).toBe('SNP_CRL_MISSING');
    expect(await codeOf(judge({ chain: { crl: { nextUpdate: null } }, waive: ['SNP_CRL_MISSING'] }))).toBe(
      'SNP_CRL_EXPIRED',
    );
  });

  it('do not let a forged, foreign or revoking list pass', async () => {
    const genoa = await prepare({ product: 'Genoa' });
    expect(await codeOf(judge({ crls: () => [genoa.chain.crl], waive: ['SNP_CRL_MISSING'] }))).toBe('SNP_CRL_ISSUER');
    const revoking = { crl: { nextUpdate: null, revoked: [{ serial: 0x1_0001, date: now }] } };
    expect(await codeOf(judge({ chain: revoking, waive: ['SNP_CRL_EXPIRED'] }))).toBe('SNP_CERTIFICATE_REVOKED');
  });
});
