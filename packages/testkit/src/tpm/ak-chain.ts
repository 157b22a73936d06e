import { toHex } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';
import { extensionOids } from '@fastness/codec/x509';
import { forgeCertificate, type ForgeCertificateOptions } from '../x509/certificate.ts';
import { forgeCrl, type ForgeCrlOptions } from '../x509/crl.ts';
import { basicConstraints, keyUsage, type ForgedExtension } from '../x509/extensions.ts';
import { sharedKeys, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedName } from '../x509/name.ts';

/** The levels of a chain above an attestation key, from the top. */
export const akLevels = Object.freeze(['root', 'intermediate', 'leaf'] as const);
export type AkLevel = (typeof akLevels)[number];

/** Purposes of certificates of TPM keys. */
export const tpmPurposes = Object.freeze({ endorsement: '2.23.133.8.1', attestation: '2.23.133.8.3' });

export interface ForgeAkChainOptions {
  /** The time around which everything is valid: the root 20 years, the intermediate 2, the leaf one. */
  readonly now: Date;
  /** The attestation key. */
  readonly attestationKeys: ForgedKeys;
  /** Replaces what certificates are forged with; use it to make exactly one thing wrong. */
  readonly levels?: Readonly<Partial<Record<AkLevel, Partial<ForgeCertificateOptions>>>>;
  /** Replaces what the root's revocation list is forged with. */
  readonly crl?: Partial<ForgeCrlOptions>;
}

/** What tells one cloud's chain from another's. */
export interface AkChainStyle {
  readonly names: Readonly<Record<AkLevel, ForgedName>>;
  /** Extensions of the leaf beside its key usage. */
  readonly leafExtensions: readonly ForgedExtension[];
}

/** A forged chain: genuine in format, worthless as proof unless a test pins its root. */
export interface ForgedAkChain {
  readonly keys: Readonly<Record<AkLevel, ForgedKeys>>;
  /** DER. */
  readonly certificates: Readonly<Record<AkLevel, Uint8Array>>;
  /** The root's list, DER. */
  readonly crl: Uint8Array;
  /** The pin of the root: SHA-256 of its SubjectPublicKeyInfo, hex. */
  readonly rootSpkiSha256: string;
  /** SHA-256 of the root certificate, hex. */
  readonly rootCertificateSha256: string;
}

const DAY = 86_400_000;
const lives: Readonly<Record<AkLevel, readonly [from: number, to: number]>> = {
  root: [-3000, 5000],
  intermediate: [-300, 430],
  leaf: [-30, 335],
};
const rsa = Object.freeze({ kind: 'rsa-pkcs1', hash: 'SHA-256' } as const);
const empty = new Uint8Array();

/** An extended key usage. */
export function purposes(...oids: readonly string[]): ForgedExtension {
  return { oid: '2.5.29.37', value: der.sequence(...oids.map((oid) => der.oid(oid))) };
}

/** Says that a revocation list exists. */
export function crlDistributionPoint(url = 'http://crl.invalid/root.crl'): ForgedExtension {
  const name = der.sequence(der.explicit(0, der.explicit(0, tagged(0x86, new TextEncoder().encode(url)))));
  return { oid: extensionOids.crlDistributionPoints, value: der.sequence(name) };
}

/** Says by which of several keys a certificate was signed, or which key it holds. */
export function keyIdentifier(kind: 'subject' | 'authority', id: Uint8Array): ForgedExtension {
  return kind === 'subject'
    ? { oid: extensionOids.subjectKeyIdentifier, value: der.octetString(id) }
    : { oid: extensionOids.authorityKeyIdentifier, value: der.sequence(tagged(0x80, id)) };
}

/** What authorities of this kind carry; the intermediate says where the root's list is. */
export function akExtensions(level: Exclude<AkLevel, 'leaf'>): ForgedExtension[] {
  const common = [
    basicConstraints({ ca: true }),
    keyUsage('keyCertSign', 'cRLSign'),
    purposes(tpmPurposes.endorsement, tpmPurposes.attestation),
  ];
  return level === 'root' ? common : [...common, crlDistributionPoint()];
}

/** Forges root, intermediate and the certificate of an attestation key. */
export async function forgeAkChain(style: AkChainStyle, options: ForgeAkChainOptions): Promise<ForgedAkChain> {
  const { now, attestationKeys, levels = {} } = options;
  const [root, intermediate] = await Promise.all([
    sharedKeys('vTPM root', 'rsa-2048'),
    sharedKeys('vTPM intermediate', 'rsa-2048'),
  ]);
  const keys = { root, intermediate, leaf: attestationKeys };
  const extensions: Record<AkLevel, readonly ForgedExtension[]> = {
    root: akExtensions('root'),
    intermediate: akExtensions('intermediate'),
    leaf: [keyUsage('digitalSignature'), ...style.leafExtensions],
  };
  const after = (days: number) => new Date(now.getTime() + days * DAY);
  const [rootDer = empty, intermediateDer = empty, leafDer = empty] = await Promise.all(
    akLevels.map(async (level, index) => {
      const above = akLevels[index - 1];
      const [from, to] = lives[level];
      return forgeCertificate({
        subject: style.names[level],
        keys: keys[level],
        ...(above === undefined ? {} : { issuer: { name: style.names[above], keys: keys[above] } }),
        validity: { notBefore: after(from), notAfter: after(to) },
        serial: index + 1,
        extensions: extensions[level],
        signatureAlgorithm: rsa,
        ...levels[level],
      });
    }),
  );
  const crl = await forgeCrl({
    issuer: { name: style.names.root, keys: root },
    thisUpdate: after(-10),
    nextUpdate: after(80),
    signatureAlgorithm: rsa,
    ...options.crl,
  });
  return {
    keys,
    certificates: { root: rootDer, intermediate: intermediateDer, leaf: leafDer },
    crl,
    rootSpkiSha256: await sha256(root.spki),
    rootCertificateSha256: await sha256(rootDer),
  };
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));
}

function tagged(tag: number, content: Uint8Array): Uint8Array {
  return Uint8Array.of(tag, content.length, ...content);
}
