import { der } from '@fastness/codec/der';
import type { TestKey } from './release-support.ts';

/** When certificates of the tests begin and end, unless they say otherwise. */
const from = new Date('2026-01-01T00:00:00Z');
const until = new Date('2027-01-01T00:00:00Z');

export const oids = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  nameConstraints: '2.5.29.30',
};

export interface Subject {
  readonly name: string;
  readonly key: Pick<TestKey, 'spki' | 'sign'>;
}

export interface CertificateSpec {
  readonly subject: Subject;
  readonly issuer: Subject;
  readonly extensions: readonly Uint8Array[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export const extension = (oid: string, critical: boolean, value: Uint8Array) =>
  der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octetString(value));
export const authority = (pathLength?: number) =>
  extension(
    oids.basicConstraints,
    true,
    der.sequence(der.boolean(true), ...(pathLength === undefined ? [] : [der.integer(pathLength)])),
  );
/** Bit 0 of the key usage is digitalSignature, bit 5 keyCertSign. */
export const certSign = extension(oids.keyUsage, true, der.tagged(3, Uint8Array.of(2, 0x04)));
export const digitalSignature = extension(oids.keyUsage, true, der.tagged(3, Uint8Array.of(7, 0x80)));
export const keyEncipherment = extension(oids.keyUsage, true, der.tagged(3, Uint8Array.of(5, 0x20)));
export const extendedUsage = (oid: string, critical = false) =>
  extension(oids.extendedKeyUsage, critical, der.sequence(der.oid(oid)));

export function makeCertificate({ subject, issuer, extensions, notBefore = from, notAfter = until }: CertificateSpec) {
  const name = (text: string) => der.sequence(der.set(der.sequence(der.oid(oids.commonName), der.utf8String(text))));
  const algorithm = der.sequence(der.oid(oids.ecdsaWithSha256));
  const tbs = der.sequence(
    der.explicit(0, der.integer(2)),
    der.integer(7),
    algorithm,
    name(issuer.name),
    der.sequence(der.time(notBefore), der.time(notAfter)),
    name(subject.name),
    subject.key.spki,
    ...(extensions.length === 0 ? [] : [der.explicit(3, der.sequence(...extensions))]),
  );
  return der.sequence(tbs, algorithm, der.bitString(issuer.key.sign(tbs)));
}
