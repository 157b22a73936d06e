import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { forgeCertificate, type ForgeCertificateOptions, type ForgedIssuer } from '../x509/certificate.ts';
import { forgeCrl, type ForgeCrlOptions } from '../x509/crl.ts';
import { basicConstraints, keyUsage, type ForgedExtension } from '../x509/extensions.ts';
import { generateKeys, sharedKeys, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedNameFields } from '../x509/name.ts';
import { amdLeafExtensions } from './leaf-extensions.ts';
import { forgedProducts, type ForgedProduct, type ForgedTcb } from './products.ts';

export interface ForgeAmdChainOptions {
  readonly product: ForgedProduct;
  readonly kind: 'vcek' | 'vlek';
  /** The time around which everything is valid: roots 25 years, leaf 7 years (VLEK 1), list 30 days. */
  readonly now: Date;
  /** The TCB the leaf certifies. Default: one at or above the floors of AMD-SB-3019. */
  readonly tcb?: ForgedTcb;
  /** Chip id in a VCEK: 64 bytes, Turin 8. Default: random. */
  readonly hwid?: Uint8Array;
  /** Provider in a VLEK. Default `CN=cc-forged.example`. */
  readonly cspId?: string;
  /**
   * Keys to use. Default: RSA of `rsaBits` for root and intermediate, made once per process and product, and a new P-384
   * key for the leaf.
   */
  readonly keys?: { readonly ark?: ForgedKeys; readonly intermediate?: ForgedKeys; readonly leaf?: ForgedKeys };
  /** Organization in every name; default AMD's own. The simulated TEE says there what it is. */
  readonly organization?: string;
  /** AMD has 4096. The default of 2048 is made in a moment and verifies under the same rules. */
  readonly rsaBits?: 2048 | 4096;
  /** Replaces what a certificate or the list is forged with; use it to make exactly one thing wrong. */
  readonly ark?: Partial<ForgeCertificateOptions>;
  readonly intermediate?: Partial<ForgeCertificateOptions>;
  readonly leaf?: Partial<ForgeCertificateOptions>;
  /** Edits the extensions of the leaf. */
  readonly leafExtensions?: (extensions: ForgedExtension[]) => ForgedExtension[];
  readonly crl?: Partial<ForgeCrlOptions>;
}

/** A certificate together with the key that it certifies and its name. */
export interface ForgedAuthority {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly keys: ForgedKeys;
  readonly name: ForgedNameFields;
}

/** A forged AMD chain: genuine in format, worthless as proof unless a test pins its root. */
export interface ForgedAmdChain {
  readonly product: ForgedProduct;
  readonly kind: 'vcek' | 'vlek';
  readonly tcb: ForgedTcb;
  readonly hwid: Uint8Array;
  readonly cspId: string;
  readonly ark: ForgedAuthority;
  /** ASK for a VCEK, ASVK for a VLEK. */
  readonly intermediate: ForgedAuthority;
  readonly leaf: ForgedAuthority;
  /** Leaf, intermediate, root; DER. */
  readonly certificates: readonly [Uint8Array, Uint8Array, Uint8Array];
  /** The root's revocation list, DER; empty unless `crl.revoked` was given. */
  readonly crl: Uint8Array;
  /** The pin of the root: SHA-256 of its SubjectPublicKeyInfo, hex. */
  readonly arkSpkiSha256: string;
  /** Signs another revocation list with the root. */
  issueCrl(options?: Partial<ForgeCrlOptions>): Promise<Uint8Array>;
}

/** One value for each of the three levels of a chain. */
export interface ForLevel<T> {
  readonly ark: T;
  readonly intermediate: T;
  readonly leaf: T;
}

const YEAR = 365.25 * 24 * 3600 * 1000;
const DAY = 24 * 3600 * 1000;

/** The name of an AMD certificate with this common name. */
export function amdName(commonName: string, organization = 'Advanced Micro Devices'): ForgedNameFields {
  return {
    organizationalUnit: 'Engineering',
    country: 'US',
    locality: 'Santa Clara',
    state: 'CA',
    organization,
    commonName,
  };
}

/** Forges ARK, ASK or ASVK, VCEK or VLEK, and the ARK's revocation list. */
export async function forgeAmdChain(options: ForgeAmdChainOptions): Promise<ForgedAmdChain> {
  const { product, kind, now, organization } = options;
  const facts = forgedProducts[product];
  const hwid = options.hwid ?? crypto.getRandomValues(new Uint8Array(facts.hwidBytes));
  if (hwid.length !== facts.hwidBytes && options.leafExtensions === undefined) {
    throw new FastnessError('TESTKIT_OPTION', `The chip id of ${product} is ${facts.hwidBytes} bytes.`);
  }
  const tcb = options.tcb ?? facts.tcb;
  const cspId = options.cspId ?? 'CN=cc-forged.example';
  const names = amdNames(product, kind, organization);
  const keys = await keysOf(options);
  const extensions = amdLeafExtensions({ product, kind, tcb, hwid, cspId });
  const certificates = await Promise.all([
    forgeCertificate({
      subject: names.leaf,
      keys: keys.leaf,
      issuer: { name: names.intermediate, keys: keys.intermediate },
      validity: around(now, kind === 'vcek' ? 7 : 1),
      serial: 0,
      extensions: options.leafExtensions?.(extensions) ?? extensions,
      ...options.leaf,
    }),
    forgeCertificate({
      subject: names.intermediate,
      keys: keys.intermediate,
      issuer: { name: names.ark, keys: keys.ark },
      validity: around(now, 25),
      serial: facts.serial + (kind === 'vcek' ? 1 : 0x101),
      extensions: [basicConstraints({ ca: true, pathLength: 0 }), keyUsage('keyCertSign')],
      ...options.intermediate,
    }),
    forgeCertificate({
      subject: names.ark,
      keys: keys.ark,
      validity: around(now, 25),
      serial: facts.serial,
      extensions: [keyUsage('keyCertSign', 'cRLSign'), basicConstraints({ ca: true })],
      ...options.ark,
    }),
  ]);
  const crl = await issueAmdCrl({ name: names.ark, keys: keys.ark }, now, options.crl);
  return assembleAmdChain({ product, kind, tcb, hwid, cspId, names, keys, certificates, crl, now });
}

/** The names of root, intermediate and leaf. */
export function amdNames(
  product: ForgedProduct,
  kind: 'vcek' | 'vlek',
  organization?: string,
): ForLevel<ForgedNameFields> {
  return {
    ark: amdName(`ARK-${product}`, organization),
    intermediate: amdName(kind === 'vcek' ? `SEV-${product}` : `SEV-VLEK-${product}`, organization),
    leaf: amdName(kind === 'vcek' ? 'SEV-VCEK' : 'SEV-VLEK', organization),
  };
}

/** Builds the chain object from its parts, for instance from parts that were stored. */
export async function assembleAmdChain(
  parts: Pick<ForgedAmdChain, 'product' | 'kind' | 'tcb' | 'hwid' | 'cspId' | 'certificates' | 'crl'> & {
    readonly names: ForLevel<ForgedNameFields>;
    readonly keys: ForLevel<ForgedKeys>;
    readonly now: Date;
  },
): Promise<ForgedAmdChain> {
  const { names, keys, now, ...rest } = parts;
  const [leaf, intermediate, ark] = parts.certificates;
  const digest = await crypto.subtle.digest('SHA-256', keys.ark.spki);
  return {
    ...rest,
    ark: { certificate: ark, name: names.ark, keys: keys.ark },
    intermediate: { certificate: intermediate, name: names.intermediate, keys: keys.intermediate },
    leaf: { certificate: leaf, name: names.leaf, keys: keys.leaf },
    arkSpkiSha256: toHex(new Uint8Array(digest)),
    issueCrl: async (options) => issueAmdCrl({ name: names.ark, keys: keys.ark }, now, options),
  };
}

/** Signs a revocation list that is dated a day back and holds for 30 days from `now`. */
export async function issueAmdCrl(
  issuer: ForgedIssuer,
  now: Date,
  options: Partial<ForgeCrlOptions> = {},
): Promise<Uint8Array> {
  const window = { thisUpdate: new Date(now.getTime() - DAY), nextUpdate: new Date(now.getTime() + 30 * DAY) };
  return forgeCrl({ issuer, ...window, ...options });
}

async function keysOf(options: ForgeAmdChainOptions): Promise<ForLevel<ForgedKeys>> {
  const { keys = {}, rsaBits = 2048, product, kind } = options;
  const rsa = rsaBits === 4096 ? 'rsa-4096' : 'rsa-2048';
  const [ark, intermediate, leaf] = await Promise.all([
    keys.ark ?? sharedKeys(`ARK-${product}`, rsa),
    keys.intermediate ?? sharedKeys(`${kind}-${product}`, rsa),
    keys.leaf ?? generateKeys('p-384'),
  ]);
  return { ark, intermediate, leaf };
}

/** A validity that began a year (or a tenth of its length) before `now`. */
function around(now: Date, years: number): { notBefore: Date; notAfter: Date } {
  const start = now.getTime() - Math.min(YEAR, (years * YEAR) / 10);
  return { notBefore: new Date(start), notAfter: new Date(start + years * YEAR) };
}
