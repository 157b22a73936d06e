import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8Encode } from '@fastness/codec/bytes';
import { createSoftwareKeyStore, kdfBounds, type KeyStore } from '@fastness/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyIdOf, parseOmsBundle, verifyOmsBundle } from '../src/release/index.ts';
import { signModel } from '../src/signing/index.ts';
import {
  authority,
  certSign,
  digitalSignature,
  keyEncipherment,
  makeCertificate,
  type CertificateSpec,
  type Subject,
} from './certificate-support.ts';
import { expectCode, testKey } from './release-support.ts';

let folder: string;
let keyStore: KeyStore;
let owner: Subject;
let other: Subject;
const root: Subject = { name: 'root', key: testKey() };
const day = 86_400_000;
const current = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day) };
const rootCertificate = makeCertificate({
  subject: root,
  issuer: root,
  extensions: [authority(), certSign],
  ...current,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-certificate-'));
  await writeFile(join(folder, 'weights'), 'weights');
  const cost = { memory: kdfBounds.memory.min, passes: kdfBounds.passes.min, parallelism: 1 };
  keyStore = await createSoftwareKeyStore({ path: `${folder}.keys`, passphrase: utf8Encode('passphrase'), cost });
  const subjectOf = async (name: string): Promise<Subject> => {
    await keyStore.create({ id: name, purpose: 'sign', algorithm: 'P-384' });
    return { name, key: { spki: await keyStore.publicKey(name), sign: () => new Uint8Array(0) } };
  };
  owner = await subjectOf('owner');
  other = await subjectOf('other');
});
afterAll(async () => {
  await keyStore[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
  for (const path of [`${folder}.keys`, `${folder}.keys.lock`]) if (existsSync(path)) await rm(path);
});

const certificateOf = (spec: Partial<CertificateSpec> = {}): Uint8Array =>
  makeCertificate({ subject: owner, issuer: root, extensions: [digitalSignature], ...current, ...spec });
const sign = (certificates: readonly Uint8Array[]) =>
  signModel({ root: folder, keyStore, keyId: 'owner', certificates });

describe('signing by certificate', () => {
  it('is verified by whoever trusts the root, and by whoever trusts the key', async () => {
    const certificates = [certificateOf(), rootCertificate];
    const { bundle } = await sign(certificates);
    expect(parseOmsBundle(bundle).method).toEqual({ kind: 'certificate', certificates });
    const keyId = await keyIdOf(owner.key.spki);
    const byRoot = await verifyOmsBundle({ bundle, roots: [rootCertificate], now: new Date() });
    expect(byRoot.signer).toEqual({ method: 'certificate', keyId, signatureIndex: 0, commonName: 'owner' });
    const byKey = await verifyOmsBundle({ bundle, publicKeys: [other.key.spki, owner.key.spki] });
    expect(byKey.signer).toEqual({ method: 'certificate', keyId, signatureIndex: 0 });
  });

  it('may end below the root, for verifiers that have it', async () => {
    const { bundle } = await sign([certificateOf()]);
    await verifyOmsBundle({ bundle, roots: [rootCertificate], now: new Date() });
  });

  it('gives a certificate no trust where keys are pinned', async () => {
    const { bundle } = await sign([certificateOf(), rootCertificate]);
    await expectCode(verifyOmsBundle({ bundle, publicKeys: [other.key.spki] }), 'OMS_KEY_UNKNOWN');
    // Somebody else's signature under the owner's certificate.
    const forged = JSON.parse((await signModel({ root: folder, keyStore, keyId: 'other' })).bundle);
    forged.verificationMaterial = JSON.parse(bundle).verificationMaterial;
    await expectCode(
      verifyOmsBundle({ bundle: JSON.stringify(forged), publicKeys: [owner.key.spki] }),
      'OMS_SIGNATURE',
    );
  });

  it.each([
    ['for another key', 'OMS_CERTIFICATE_KEY', () => [certificateOf({ subject: other }), rootCertificate]],
    ['that do not belong together', 'OMS_CERTIFICATE_CHAIN', () => [rootCertificate, certificateOf()]],
    ['that are no certificates', 'OMS_CERTIFICATE_CHAIN', () => [Uint8Array.of(1)]],
    ['of which there is none', 'OMS_CERTIFICATE_CHAIN', () => []],
    ['that are over', 'OMS_CERTIFICATE_TIME', () => [certificateOf({ notAfter: new Date(Date.now() - day / 2) })]],
    ['not for signing', 'OMS_CERTIFICATE_USAGE', () => [certificateOf({ extensions: [keyEncipherment] })]],
  ] as const)('is refused with certificates %s', (_, code, certificates) => expectCode(sign(certificates()), code));
});
