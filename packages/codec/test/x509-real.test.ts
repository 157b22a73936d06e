import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodePem, fromHex, toHex } from '@fastness/codec';
import {
  checkNotRevoked,
  importSpki,
  parseCertificate,
  parseCrl,
  verifyChain,
  verifySignature,
  verifySignedBy,
  type Certificate,
  type KeyHolder,
} from '@fastness/codec/x509';
import { describe, expect, test } from 'vitest';
import { expectCode } from './support.ts';
import { vectors } from './support.ts';

const folder = join(vectors ?? '', 'evidence');
const read = (path: string): Uint8Array => readFileSync(join(folder, path));
const pem = (path: string): Certificate[] =>
  decodePem(new TextDecoder().decode(read(path)), 'CERTIFICATE').map((der) => parseCertificate(der));
const sha256 = async (bytes: Uint8Array): Promise<string> =>
  toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes))));
const trustee = 'snp/confidential-containers__trustee/deps/verifier/test_data/snp';
const roots = 'roots/confidential-containers__trustee/deps/verifier/src/snp';

describe.skipIf(vectors === undefined)('recorded AMD certificates', () => {
  test.each(['milan', 'genoa', 'turin'])('%s: ASK and ASVK are signed by the ARK', async (product) => {
    const [ask, ark, asvk] = pem(`${roots}/${product}_ask_ark_asvk.pem`);
    if (ask === undefined || ark === undefined || asvk === undefined) throw new Error('three certificates expected');
    expect(ark.signatureAlgorithm).toEqual({ kind: 'rsa-pss', hash: 'SHA-384', saltLength: 48 });
    expect(ark.publicKey).toEqual({ algorithm: 'RSA', modulusBits: 4096 });
    for (const certificate of [ark, ask, asvk]) await verifySignedBy(certificate, ark);
    await expectCode('X509_ISSUER_NAME', () => verifySignedBy(ask, asvk));
  });
  test('a VCEK, a VLEK and a Turin VCEK chain up', async () => {
    const [ask, ark, asvk] = pem(`${roots}/milan_ask_ark_asvk.pem`);
    const [turinAsk, turinArk] = pem(`${roots}/turin_ask_ark_asvk.pem`);
    if (!ask || !ark || !asvk || !turinAsk || !turinArk) throw new Error('certificates expected');
    const vcek = parseCertificate(read(`${trustee}/test-vcek.der`));
    const vlek = parseCertificate(read(`${trustee}/test-vlek.der`));
    const turin = parseCertificate(read('snp/virtee__sev/tests/certs_data/vcek_turin.der'));
    await verifyChain({ chain: [vcek, ask, ark], now: new Date('2026-01-01') });
    await verifyChain({ chain: [vlek, asvk, ark], now: new Date('2025-06-01') });
    await verifyChain({ chain: [turin, turinAsk, turinArk], now: new Date('2026-01-01') });
    expect(vcek.serial).toEqual(Uint8Array.of(0));
    expect(vcek.publicKey).toEqual({ algorithm: 'EC', curve: 'P-384' });
    expect(vcek.extensions.get('1.3.6.1.4.1.3704.1.4')?.value).toHaveLength(64);
    expect(turin.extensions.get('1.3.6.1.4.1.3704.1.4')?.value).toHaveLength(8);
    await importSpki(vcek);
  });
  test.each(['legacy', 'new'])('the invalid VCEK (%s) is not the ASK’s', async (kind) => {
    const [ask] = pem(`${roots}/milan_ask_ark_asvk.pem`);
    const vcek = parseCertificate(read(`${trustee}/test-vcek-invalid-${kind}.der`));
    if (ask === undefined) throw new Error('ASK expected');
    await expect(verifySignedBy(vcek, ask)).rejects.toMatchObject({ name: 'FastnessError' });
  });
  test('revocation lists are signed by their ARK and name what they revoke', async () => {
    const archive = new TextDecoder().decode(
      read('azure-vtpm/openpcc__openpcc/attestation/attest/testdata/sev_certificates.txt'),
    );
    const [genoa, milan] = decodePem(archive, 'X509 CRL').map((der) => parseCrl(der));
    const [genoaAsk, genoaArk] = pem(`${roots}/genoa_ask_ark_asvk.pem`);
    const [, milanArk] = pem(`${roots}/milan_ask_ark_asvk.pem`);
    if (!genoa || !milan || !genoaAsk || !genoaArk || !milanArk) throw new Error('lists expected');
    await verifySignedBy(genoa, genoaArk);
    await verifySignedBy(milan, milanArk);
    await expectCode('X509_ISSUER_NAME', () => verifySignedBy(genoa, milanArk));
    expect(milan.revoked).toEqual([]);
    expect(genoa.revoked).toEqual([{ serial: fromHex('020001'), date: new Date('2022-10-31T12:00:00Z') }]);
    checkNotRevoked(genoaAsk, genoa);
    await expectCode('X509_REVOKED', () => checkNotRevoked({ ...genoaAsk, serial: fromHex('020001') }, genoa));
  });
});

describe.skipIf(vectors === undefined)('recorded roots', () => {
  const table = vectors === undefined ? '' : new TextDecoder().decode(read('ROOTS.tsv'));
  const rows = table
    .split('\n')
    .slice(1)
    .filter(Boolean)
    .map((line) => line.split('\t'));
  const files = rows.filter(([, , , , , , file]) => file !== undefined && !file.endsWith('.json'));
  test.each(files)('%s', async (_name, issuer, key, _validity, certificateSha256, spkiSha256, file) => {
    const bytes = read(file ?? '');
    const found = bytes[0] === 0x30 ? [parseCertificate(bytes)] : pem(file ?? '');
    const digests = await Promise.all(found.map(async ({ raw }) => sha256(raw)));
    const certificate = found[digests.indexOf(certificateSha256 ?? '')];
    if (certificate === undefined) throw new Error('no certificate with this fingerprint');
    expect(await sha256(certificate.spki)).toBe(spkiSha256);
    const { publicKey } = certificate;
    const curves = { 'P-256': 'secp256r1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' };
    expect(
      publicKey.algorithm === 'RSA'
        ? `RSA${publicKey.modulusBits}`
        : publicKey.algorithm === 'EC' && `EC-${curves[publicKey.curve]}`,
    ).toBe(key);
    if (issuer === 'self') await verifySignedBy(certificate, certificate);
  });
  test('every recorded certificate parses', () => {
    const all = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
      /\.(?:pem|crt)$/.test(path),
    );
    let count = 0;
    for (const path of all) {
      const text = new TextDecoder('latin1').decode(read(path));
      if (text.includes('BEGIN CERTIFICATE')) count += pem(path).length;
    }
    expect(count).toBeGreaterThan(50);
  });
});

interface EcdsaVectors {
  readonly testGroups: readonly {
    readonly publicKeyDer: string;
    readonly tests: readonly {
      readonly tcId: number;
      readonly msg: string;
      readonly sig: string;
      readonly result: string;
    }[];
  }[];
}

describe.skipIf(vectors === undefined)('Wycheproof ECDSA', () => {
  test.each([
    ['P-256', 'SHA-256', 'ecdsa_secp256r1_sha256_test.json'],
    ['P-384', 'SHA-384', 'ecdsa_secp384r1_sha384_test.json'],
  ] as const)('%s with %s', async (curve, hash, file) => {
    const { testGroups }: EcdsaVectors = JSON.parse(readFileSync(join(vectors ?? '', 'wycheproof', file), 'utf8'));
    let count = 0;
    for (const group of testGroups) {
      const holder: KeyHolder = { spki: fromHex(group.publicKeyDer), publicKey: { algorithm: 'EC', curve } };
      for (const { tcId, msg, sig, result } of group.tests) {
        const options = {
          holder,
          algorithm: { kind: 'ecdsa', hash } as const,
          signature: fromHex(sig),
          message: fromHex(msg),
        };
        const outcome = await verifySignature(options).then(
          () => 'valid',
          (error: { code?: string }) => error.code,
        );
        expect([tcId, outcome]).toEqual([tcId, result === 'valid' ? 'valid' : 'X509_SIGNATURE']);
        count += 1;
      }
    }
    expect(count).toBeGreaterThan(400);
  });
});
