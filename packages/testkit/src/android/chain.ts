import { toHex } from '@fastness/codec/bytes';
import { encodeCbor } from '@fastness/codec/cbor';
import { forgeCertificate, type ForgeCertificateOptions } from '../x509/certificate.ts';
import { basicConstraints, keyUsage, type ForgedExtension } from '../x509/extensions.ts';
import { generateKeys, sharedKeys, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedName } from '../x509/name.ts';
import { encodeKeyDescription, type ForgedKeyDescription } from './key-description.ts';

/** The levels of an Android chain, from the attested key up. */
export const androidLevels = Object.freeze(['leaf', 'attestation', 'intermediate', 'root'] as const);
export type AndroidLevel = (typeof androidLevels)[number];

export interface ForgeAndroidChainOptions {
  /** The time around which what is between the ends is valid. */
  readonly now: Date;
  readonly description: ForgedKeyDescription;
  /** Certificates issued lately, in the attestation certificate. null: provisioned at the factory. Default 3. */
  readonly certificatesIssued?: number | null;
  /** What the attestation certificate names. null: nothing. Default: TEE or StrongBox, as the attestation says. */
  readonly hardware?: string | null;
  /** Replaces what certificates are forged with; use it to make exactly one thing wrong. */
  readonly levels?: Readonly<Partial<Record<AndroidLevel, Partial<ForgeCertificateOptions>>>>;
  /** Edits the content of the attestation extension. */
  readonly extension?: (value: Uint8Array) => Uint8Array;
}

/** A forged Android chain: genuine in format, worthless as proof unless a test pins its root. */
export interface ForgedAndroidChain {
  /** Leaf first, root last; DER. */
  readonly certificates: readonly Uint8Array[];
  readonly keys: Readonly<Record<AndroidLevel, ForgedKeys>>;
  /** SHA-256 of the root's SubjectPublicKeyInfo and certificate, hex. */
  readonly rootSpkiSha256: string;
  readonly rootCertificateSha256: string;
  /** Serial numbers as Google's status list names them. */
  readonly serials: Readonly<Record<AndroidLevel, string>>;
}

const KEY_DESCRIPTION = '1.3.6.1.4.1.11129.2.1.17';
const PROVISIONING_INFO = '1.3.6.1.4.1.11129.2.1.30';
const DAY = 86_400_000;
const serialNumbers: Readonly<Record<AndroidLevel, bigint>> = {
  leaf: 1n,
  attestation: 0x00d4_7bab_d802_2133n,
  intermediate: 0x7c28_d635_1632n,
  root: 0x00f1_c172_a699_eaf5_1dn,
};

/** The extension that describes a key. */
export function keyDescriptionExtension(value: Uint8Array): ForgedExtension {
  return { oid: KEY_DESCRIPTION, value };
}

/** Forges root, intermediate, attestation certificate and the certificate of an attested key, as remote provisioning does. */
export async function forgeAndroidChain(options: ForgeAndroidChainOptions): Promise<ForgedAndroidChain> {
  const { now, levels = {}, certificatesIssued = 3 } = options;
  const hardware =
    options.hardware === undefined
      ? ([null, 'TEE', 'StrongBox'][options.description.attestationLevel ?? 1] ?? null)
      : options.hardware;
  const [root, intermediate, attestation, leaf] = await Promise.all([
    sharedKeys('Android root', 'p-384'),
    sharedKeys('Android intermediate', 'p-384'),
    sharedKeys('Android attestation', 'p-256'),
    generateKeys('p-256'),
  ]);
  const keys: Record<AndroidLevel, ForgedKeys> = { root, intermediate, attestation, leaf };
  const encoded = encodeKeyDescription(options.description);
  const authority = [basicConstraints({ ca: true }), keyUsage('keyCertSign')];
  const provisioning =
    certificatesIssued === null
      ? []
      : [{ oid: PROVISIONING_INFO, value: encodeCbor(new Map<number, number | string>([[1, certificatesIssued]])) }];
  const extensions: Record<AndroidLevel, readonly ForgedExtension[]> = {
    root: authority,
    intermediate: authority,
    attestation: [...authority, ...provisioning],
    leaf: [keyUsage('digitalSignature'), keyDescriptionExtension(options.extension?.(encoded) ?? encoded)],
  };
  const certificates = await Promise.all(
    androidLevels.map(async (level, index) => {
      const above = androidLevels[index + 1] ?? level;
      return forgeCertificate({
        subject: nameOf(level, hardware),
        keys: keys[level],
        ...(above === level ? {} : { issuer: { name: nameOf(above, hardware), keys: keys[above] } }),
        validity: validityOf(level, now),
        serial: serialNumbers[level],
        extensions: extensions[level],
        ...levels[level],
      });
    }),
  );
  return {
    certificates,
    keys,
    rootSpkiSha256: await sha256Hex(root.spki),
    rootCertificateSha256: await sha256Hex(certificates.at(-1) ?? new Uint8Array()),
    serials: {
      leaf: serialNumbers.leaf.toString(16),
      attestation: serialNumbers.attestation.toString(16),
      intermediate: serialNumbers.intermediate.toString(16),
      root: serialNumbers.root.toString(16),
    },
  };
}

/** Google's status list with these serials on it. @returns JSON, UTF-8 */
export function forgeAndroidStatus(entries: Readonly<Record<string, unknown>> = {}): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({ entries: { '2c8cdddfd5e03bfc': { status: 'REVOKED' }, ...entries } }),
  );
}

/** The attested key's dates are the device's invention; those of the root have ended, which is why it was issued anew. */
function validityOf(level: AndroidLevel, now: Date): { notBefore: Date; notAfter: Date } {
  if (level === 'leaf') return { notBefore: new Date(0), notAfter: new Date('2048-01-01T00:00:00Z') };
  if (level === 'root')
    return { notBefore: new Date('2016-05-26T00:00:00Z'), notAfter: new Date('2026-05-24T00:00:00Z') };
  const days = level === 'attestation' ? 14 : 70;
  return { notBefore: new Date(now.getTime() - DAY), notAfter: new Date(now.getTime() + days * DAY) };
}

/** Google names the hardware in the subject of the attestation certificate. */
function nameOf(level: AndroidLevel, hardware: string | null): ForgedName {
  if (level === 'leaf') return 'Android Keystore Key';
  const commonName = `Forged Android ${level}`;
  return level === 'attestation' && hardware !== null ? { organization: hardware, commonName } : commonName;
}

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));
}
