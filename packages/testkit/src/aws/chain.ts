import { toHex } from '@fastness/codec/bytes';
import { forgeCertificate, type ForgeCertificateOptions } from '../x509/certificate.ts';
import { basicConstraints, keyUsage } from '../x509/extensions.ts';
import { generateKeys, sharedKeys, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedNameFields } from '../x509/name.ts';

/** The levels of a Nitro chain, in the order of a bundle. */
export const nitroLevels = Object.freeze(['root', 'regional', 'zonal', 'instance', 'leaf'] as const);
export type NitroLevel = (typeof nitroLevels)[number];

export interface ForgeNitroChainOptions {
  /** The time around which everything is valid: root 30 years, then 20 days, 6 days, a day and three hours. */
  readonly now: Date;
  /** What the leaf is issued to. Default: an enclave. */
  readonly moduleId?: string;
  /** Replaces what certificates are forged with; use it to make exactly one thing wrong. */
  readonly levels?: Readonly<Partial<Record<NitroLevel, Partial<ForgeCertificateOptions>>>>;
}

/** A forged Nitro chain: genuine in format, worthless as proof unless a test pins its root. */
export interface ForgedNitroChain {
  readonly moduleId: string;
  readonly keys: Readonly<Record<NitroLevel, ForgedKeys>>;
  /** DER. */
  readonly certificates: Readonly<Record<NitroLevel, Uint8Array>>;
  /** Root, regional, zonal, instance; DER. */
  readonly cabundle: readonly Uint8Array[];
  /** The pin of the root: SHA-256 of its SubjectPublicKeyInfo, hex. */
  readonly rootSpkiSha256: string;
  /** SHA-256 of the root certificate, hex. */
  readonly rootCertificateSha256: string;
}

const HOUR = 3_600_000;
/** How long each level lives, in hours, and how much of it has passed at `now`. */
const lives: Readonly<Record<NitroLevel, readonly [hours: number, passed: number]>> = {
  root: [30 * 8766, 8766],
  regional: [20 * 24, 48],
  zonal: [6 * 24, 24],
  instance: [24, 6],
  leaf: [3, 0.5],
};
const empty = new Uint8Array();
const region = 'eu-forged-1.aws';

/** The name of a certificate of the Nitro PKI. */
export function nitroName(commonName: string): ForgedNameFields {
  return { organizationalUnit: 'AWS', country: 'US', organization: 'Amazon', commonName };
}

/** Forges root, regional, zonal and instance authority and the leaf that signs documents, all of them P-384. */
export async function forgeNitroChain(options: ForgeNitroChainOptions): Promise<ForgedNitroChain> {
  const { now, moduleId = 'i-0f0f0f0f0f0f0f0f0-enc0123456789abcdef', levels = {} } = options;
  const names: Record<NitroLevel, ForgedNameFields> = {
    root: nitroName('aws.nitro-enclaves'),
    regional: nitroName(`0123456789abcdef.${region}.nitro-enclaves`),
    zonal: nitroName(`fedcba9876543210.zonal.${region}.nitro-enclaves`),
    instance: nitroName(`${moduleId.split('-enc')[0] ?? moduleId}.${region}.nitro-enclaves`),
    leaf: nitroName(`${moduleId}.${region}`),
  };
  const [root, regional, zonal, instance, leaf] = await Promise.all([
    sharedKeys('Nitro root', 'p-384'),
    sharedKeys('Nitro regional', 'p-384'),
    sharedKeys('Nitro zonal', 'p-384'),
    sharedKeys('Nitro instance', 'p-384'),
    generateKeys('p-384'),
  ]);
  const keys = { root, regional, zonal, instance, leaf };
  const [rootDer = empty, regionalDer = empty, zonalDer = empty, instanceDer = empty, leafDer = empty] =
    await Promise.all(
      nitroLevels.map(async (level, index) => {
        const above = nitroLevels[index - 1];
        const [hours, passed] = lives[level];
        const start = now.getTime() - passed * HOUR;
        return forgeCertificate({
          subject: names[level],
          keys: keys[level],
          ...(above === undefined ? {} : { issuer: { name: names[above], keys: keys[above] } }),
          validity: { notBefore: new Date(start), notAfter: new Date(start + hours * HOUR) },
          serial: index + 1,
          extensions: extensionsOf(level),
          ...levels[level],
        });
      }),
    );
  const certificates = {
    root: rootDer,
    regional: regionalDer,
    zonal: zonalDer,
    instance: instanceDer,
    leaf: leafDer,
  };
  return {
    moduleId,
    keys,
    certificates,
    cabundle: [rootDer, regionalDer, zonalDer, instanceDer],
    rootSpkiSha256: await sha256Hex(keys.root.spki),
    rootCertificateSha256: await sha256Hex(certificates.root),
  };
}

/** As AWS writes them: each authority but the root bounds the path below it, and the leaf signs documents only. */
function extensionsOf(level: NitroLevel): NonNullable<ForgeCertificateOptions['extensions']> {
  switch (level) {
    case 'root':
      return [basicConstraints({ ca: true }), keyUsage('digitalSignature', 'keyCertSign', 'cRLSign')];
    case 'regional':
    case 'zonal': {
      const pathLength = level === 'regional' ? 2 : 1;
      return [basicConstraints({ ca: true, pathLength }), keyUsage('digitalSignature', 'keyCertSign', 'cRLSign')];
    }
    case 'instance':
      return [basicConstraints({ ca: true, pathLength: 0 }), keyUsage('keyCertSign')];
    case 'leaf':
      break;
  }
  return [basicConstraints({ ca: false }), keyUsage('digitalSignature', 'nonRepudiation')];
}

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))));
}
