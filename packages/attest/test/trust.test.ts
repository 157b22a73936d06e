import { toHex } from '@fastness/codec';
import { parseCertificate, verifySignedBy } from '@fastness/codec/x509';
import { describe, expect, it } from 'vitest';
import {
  amdAnchors,
  amdRoots,
  azureAnchors,
  azureVtpmRoots,
  gcpVtpmRoots,
  googleAnchors,
  intelRoots,
  snpProductNames,
  vendorAnchors,
} from '../src/index.ts';
import { readCertificates, readTable, vectorsPresent } from './support/vectors.ts';

const sha256 = async (bytes: Uint8Array) =>
  toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));

describe('pinned AMD roots', () => {
  it('are one for each product, frozen', () => {
    expect(amdAnchors.snp.map((anchor) => anchor.product)).toEqual(snpProductNames);
    expect(
      Object.isFrozen(amdAnchors) && Object.isFrozen(amdRoots) && amdRoots.every((root) => Object.isFrozen(root)),
    ).toBe(true);
    expect(amdRoots.flatMap(({ intermediates = [] }) => [intermediates, ...intermediates]).every(Object.isFrozen)).toBe(
      true,
    );
    expect(new Set(amdRoots.map((root) => root.spkiSha256)).size).toBe(amdRoots.length);
  });

  describe.skipIf(!vectorsPresent)('against recorded roots', () => {
    const rows = vectorsPresent ? readTable('ROOTS.tsv') : [];

    it.each(amdRoots)('$name has the recorded fingerprints', async (root) => {
      const row = rows.find((candidate) => candidate['subject_cn'] === root.name);
      expect(row).toMatchObject({ issuer: 'self', cert_sha256: root.certificateSha256, spki_sha256: root.spkiSha256 });
      const certificates = readCertificates(row?.['file'] ?? '').map((der) => parseCertificate(der));
      const ark = certificates.find((certificate) => certificate.subject.commonName === root.name);
      expect(await sha256(ark?.raw ?? new Uint8Array(0))).toBe(root.certificateSha256);
      expect(await sha256(ark?.spki ?? new Uint8Array(0))).toBe(root.spkiSha256);
    });

    it.each(amdRoots)('$name issued the intermediates that it is known for', async (root) => {
      const names = [`SEV-${root.product}`, `SEV-VLEK-${root.product}`];
      expect(root.intermediates?.map(({ name }) => name)).toEqual(names);
      for (const { name, certificateSha256 } of root.intermediates ?? []) {
        const row = rows.find((candidate) => candidate['subject_cn'] === name);
        expect(row).toMatchObject({ issuer: root.name, cert_sha256: certificateSha256 });
        const certificates = readCertificates(row?.['file'] ?? '').map((der) => parseCertificate(der));
        const found = (wanted: string) => certificates.find(({ subject }) => subject.commonName === wanted);
        const [intermediate, ark] = [found(name), found(root.name)];
        if (intermediate === undefined || ark === undefined) throw new Error(`${name} is not recorded`);
        expect(await sha256(intermediate.raw)).toBe(certificateSha256);
        expect(await sha256(ark.spki)).toBe(root.spkiSha256);
        await verifySignedBy(intermediate, ark);
      }
    });

    it('leave out no recorded ARK', () => {
      const recorded = rows.filter((row) => row['subject_cn']?.startsWith('ARK-')).map((row) => row['spki_sha256']);
      expect(recorded.toSorted()).toEqual(amdRoots.map((root) => root.spkiSha256).toSorted());
    });
  });
});

describe('the pinned Intel root', () => {
  it('is among the anchors of every vendor, frozen', () => {
    expect(vendorAnchors.intel).toBe(intelRoots);
    expect(Object.isFrozen(vendorAnchors) && Object.isFrozen(intelRoots) && Object.isFrozen(intelRoots[0])).toBe(true);
  });

  it.skipIf(!vectorsPresent)('has the recorded fingerprints', async () => {
    const [root] = intelRoots;
    const row = readTable('ROOTS.tsv').find((candidate) => candidate['subject_cn'] === root?.name);
    expect(row).toMatchObject({ cert_sha256: root?.certificateSha256, spki_sha256: root?.spkiSha256 });
    const [der = new Uint8Array(0)] = readCertificates(row?.['file'] ?? '');
    expect(await sha256(der)).toBe(root?.certificateSha256);
    expect(await sha256(parseCertificate(der).spki)).toBe(root?.spkiSha256);
  });
});

describe('the pinned roots of virtual TPMs', () => {
  const pinned = [...gcpVtpmRoots, ...azureVtpmRoots];

  it('are among the anchors of every vendor, frozen', () => {
    expect([vendorAnchors.gcpVtpm, vendorAnchors.azureVtpm]).toEqual([gcpVtpmRoots, azureVtpmRoots]);
    expect([googleAnchors.gcpVtpm, azureAnchors.azureVtpm]).toEqual([gcpVtpmRoots, azureVtpmRoots]);
    expect([gcpVtpmRoots, azureVtpmRoots, ...pinned].every((value) => Object.isFrozen(value))).toBe(true);
  });

  it.skipIf(!vectorsPresent).each(pinned)('$name has the recorded fingerprints', async (root) => {
    const row = readTable('ROOTS.tsv').find((candidate) => candidate['subject_cn'] === root.name);
    expect(row).toMatchObject({ issuer: 'self', cert_sha256: root.certificateSha256, spki_sha256: root.spkiSha256 });
    const [der = new Uint8Array(0)] = readCertificates(row?.['file'] ?? '');
    expect(await sha256(der)).toBe(root.certificateSha256);
    expect(await sha256(parseCertificate(der).spki)).toBe(root.spkiSha256);
  });
});
