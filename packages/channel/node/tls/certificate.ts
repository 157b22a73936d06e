import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { CMW_EXTENSION_OID } from '@fastness/channel/tls';
import { encodePem } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';

/** A P-256 key pair for TLS. */
export interface TlsKey {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly privateKey: KeyObject;
}

const COMMON_NAME = 'fastness attested TLS';
const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const DAY_MS = 86_400_000;

/** Makes a key in the memory of this process. */
export function createTlsKey(): TlsKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })), privateKey };
}

/** What `tls.createSecureContext` takes. The private key stays in this process. */
export function pemOf(privateKey: KeyObject): string | Buffer {
  return privateKey.export({ type: 'pkcs8', format: 'pem' });
}

/** A certificate without evidence, in PEM, for the time until there is some. It proves nothing. */
export function bareCertificate(key: TlsKey, now = new Date()): string {
  const notBefore = new Date(Math.floor(now.getTime() / 1000) * 1000);
  const notAfter = new Date(notBefore.getTime() + DAY_MS);
  return encodePem(writeCertificate({ ...key, serial: positiveSerial(), notBefore, notAfter }), 'CERTIFICATE');
}

/** 16 random octets as INTEGER content: positive and in the shortest form. */
export function positiveSerial(): Uint8Array {
  const serial = new Uint8Array(randomBytes(16));
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

/** X.509 v3 (RFC 5280, section 4.1), self-signed: for TLS alone, no authority. */
export function writeCertificate(
  fields: TlsKey & {
    readonly serial: Uint8Array;
    readonly notBefore: Date;
    readonly notAfter: Date;
    /** Content of the evidence extension. Absent: it has none. */
    readonly extension?: Uint8Array;
  },
): Uint8Array<ArrayBuffer> {
  const { spki, serial, notBefore, notAfter, extension, privateKey } = fields;
  const algorithm = der.sequence(der.oid(ECDSA_SHA256));
  const name = der.sequence(der.set(der.sequence(der.oid('2.5.4.3'), der.utf8String(COMMON_NAME))));
  const critical = (oid: string, value: Uint8Array) =>
    der.sequence(der.oid(oid), der.boolean(true), der.octetString(value));
  const tbs = der.sequence(
    der.explicit(0, der.integer(2)),
    der.unsigned(serial),
    algorithm,
    name,
    der.sequence(der.time(notBefore), der.time(notAfter)),
    name,
    spki,
    der.explicit(
      3,
      der.sequence(
        critical('2.5.29.19', der.sequence()),
        critical('2.5.29.15', der.namedBits([true])),
        // Not critical, as RFC 9999 asks for; our own reader refuses certificates without it.
        ...(extension === undefined ? [] : [der.sequence(der.oid(CMW_EXTENSION_OID), der.octetString(extension))]),
      ),
    ),
  );
  return der.sequence(tbs, algorithm, der.bitString(new Uint8Array(sign('sha256', tbs, privateKey))));
}
