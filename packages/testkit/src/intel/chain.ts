import { encodePem, toHex } from '@fastness/codec/bytes';
import { forgeCertificate, type ForgeCertificateOptions } from '../x509/certificate.ts';
import { forgeCrl, type ForgeCrlOptions } from '../x509/crl.ts';
import { basicConstraints, keyUsage } from '../x509/extensions.ts';
import { sharedKeys, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedNameFields } from '../x509/name.ts';
import { forgedPlatform, pckExtension, type ForgedPlatform } from './pck-extensions.ts';

export interface ForgeIntelChainOptions {
  /** The time around which everything is valid: certificates 7 years, lists 30 days. */
  readonly now: Date;
  readonly platform?: ForgedPlatform;
  /** Which CA issued the PCK certificate; default platform. */
  readonly issuer?: 'platform' | 'processor';
  /** Replaces what a certificate or list is forged with; use it to make exactly one thing wrong. */
  readonly root?: Partial<ForgeCertificateOptions>;
  readonly ca?: Partial<ForgeCertificateOptions>;
  readonly pck?: Partial<ForgeCertificateOptions>;
  readonly signer?: Partial<ForgeCertificateOptions>;
  readonly rootCrl?: Partial<ForgeCrlOptions>;
  readonly pckCrl?: Partial<ForgeCrlOptions>;
}

/** A forged Intel root with a PCK, a TCB signing certificate and both lists: worthless unless a test pins its root. */
export interface ForgedIntelChain {
  readonly platform: ForgedPlatform;
  readonly keys: Readonly<Record<'root' | 'ca' | 'pck' | 'signer', ForgedKeys>>;
  /** PCK certificate, its CA, the root; DER. */
  readonly certificates: readonly [Uint8Array, Uint8Array, Uint8Array];
  /** DER. */
  readonly signer: Uint8Array;
  readonly rootCrl: Uint8Array;
  readonly pckCrl: Uint8Array;
  /** PEM of signer and root, as the PCS sends it in a header. */
  readonly signerChain: string;
  /** The pin of the root: SHA-256 of its SubjectPublicKeyInfo, hex. */
  readonly rootSpkiSha256: string;
}

const YEAR = 365.25 * 24 * 3600 * 1000;
const DAY = 24 * 3600 * 1000;

/** The name of an Intel certificate with this common name. */
export function intelName(commonName: string): ForgedNameFields {
  return { commonName, organization: 'Intel Corporation', locality: 'Santa Clara', state: 'CA', country: 'US' };
}

/** Keys of one role, made once for the life of the process. */
export async function intelKeys(role: string): Promise<ForgedKeys> {
  return sharedKeys(`Intel ${role}`, 'p-256');
}

/** Forges the root, the PCK CA, the PCK certificate, the TCB signing certificate and both revocation lists. */
export async function forgeIntelChain(options: ForgeIntelChainOptions): Promise<ForgedIntelChain> {
  const { now, platform = forgedPlatform } = options;
  const [root, ca, pck, signer] = await Promise.all([
    intelKeys('root'),
    intelKeys('PCK CA'),
    intelKeys('PCK'),
    intelKeys('TCB signing'),
  ]);
  const validity = { notBefore: new Date(now.getTime() - YEAR), notAfter: new Date(now.getTime() + 7 * YEAR) };
  const rootName = intelName('Intel SGX Root CA');
  const caName = intelName(`Intel SGX PCK ${options.issuer === 'processor' ? 'Processor' : 'Platform'} CA`);
  const byRoot = { name: rootName, keys: root };
  const authority = [keyUsage('keyCertSign', 'cRLSign'), basicConstraints({ ca: true })];
  const leaf = [keyUsage('digitalSignature'), basicConstraints({ ca: false })];
  const window = { thisUpdate: new Date(now.getTime() - DAY), nextUpdate: new Date(now.getTime() + 29 * DAY) };
  const [rootDer, caDer, pckDer, signerDer, rootCrl, pckCrl] = await Promise.all([
    forgeCertificate({ subject: rootName, keys: root, validity, extensions: authority, ...options.root }),
    forgeCertificate({
      subject: caName,
      keys: ca,
      issuer: byRoot,
      validity,
      serial: 2,
      extensions: authority,
      ...options.ca,
    }),
    forgeCertificate({
      subject: intelName('Intel SGX PCK Certificate'),
      keys: pck,
      issuer: { name: caName, keys: ca },
      validity,
      serial: 3,
      extensions: [...leaf, pckExtension(platform)],
      ...options.pck,
    }),
    forgeCertificate({
      subject: intelName('Intel SGX TCB Signing'),
      keys: signer,
      issuer: byRoot,
      validity,
      serial: 4,
      extensions: leaf,
      ...options.signer,
    }),
    forgeCrl({ issuer: byRoot, ...window, ...options.rootCrl }),
    forgeCrl({ issuer: { name: caName, keys: ca }, ...window, ...options.pckCrl }),
  ]);
  return {
    platform,
    keys: { root, ca, pck, signer },
    certificates: [pckDer, caDer, rootDer],
    signer: signerDer,
    rootCrl,
    pckCrl,
    signerChain: encodePem(signerDer, 'CERTIFICATE') + encodePem(rootDer, 'CERTIFICATE'),
    rootSpkiSha256: toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', root.spki))),
  };
}
