import { parseCertificate } from '@fastness/codec/x509';
import {
  basicConstraints,
  forgeCertificate,
  forgeCrl,
  generateKeys,
  keyUsage,
  sharedKeys,
  type ForgeCertificateOptions,
  type ForgeCrlOptions,
} from '@fastness/testkit';

export const now = new Date('2026-06-15T12:00:00Z');
export const validity = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2027-01-01T00:00:00Z') };
export const caExtensions = [basicConstraints({ ca: true }), keyUsage('keyCertSign', 'cRLSign')];
export const ca = { name: 'CA', keys: await generateKeys('p-384') };
export const leafKeys = await generateKeys('p-256');
export const rsa = await sharedKeys('x509', 'rsa-2048');

export const issue = async (changes: Partial<ForgeCertificateOptions> = {}): Promise<Uint8Array> =>
  forgeCertificate({ subject: 'leaf', keys: leafKeys, issuer: ca, validity, ...changes });
export const authority = async (changes: Partial<ForgeCertificateOptions> = {}) =>
  parseCertificate(
    await forgeCertificate({ subject: 'CA', keys: ca.keys, validity, extensions: caExtensions, ...changes }),
  );
export const list = async (changes: Partial<ForgeCrlOptions> = {}): Promise<Uint8Array> =>
  forgeCrl({ issuer: ca, thisUpdate: validity.notBefore, nextUpdate: validity.notAfter, ...changes });
