import { toBase64, toHex, utf8Encode } from '@fastness/codec/bytes';
import { canonicaliseXml, parseXml } from '@fastness/codec/xml';
import { signRaw, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedNvidiaChain, RimLevel } from './chain.ts';

export interface ForgeRimOptions {
  readonly chain: ForgedNvidiaChain<RimLevel>;
  readonly product?: string;
  readonly edition?: 'GPU' | 'SWITCH';
  readonly version: string;
  /** Accepted digests by active index. */
  readonly measurements: ReadonlyMap<number, readonly Uint8Array[]>;
  /** Edits the document without its signature before it is signed. */
  readonly document?: (xml: string) => string;
  /** Edits SignedInfo before it is signed. */
  readonly signedInfo?: (xml: string) => string;
  /** Edits the whole document after it was signed. */
  readonly signed?: (xml: string) => string;
  /** Default: the key of the chain's signer. */
  readonly signWith?: ForgedKeys;
  /** DER. Default: those of the chain. */
  readonly certificates?: readonly Uint8Array[];
}

const SWID = 'http://standards.iso.org/iso/19770/-2/2015/schema.xsd';
const SHA384 = 'http://www.w3.org/2001/04/xmlenc#sha384';
const RIM = 'https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/';
const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
const C14N = 'http://www.w3.org/2006/12/xml-c14n11';
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';
const ALGORITHMS = 'http://www.w3.org/2001/04/xmldsig-more#';

/** Writes a reference document in NVIDIA's form and signs it, enveloped, over its canonical form. @returns UTF-8 */
export async function forgeRim(options: ForgeRimOptions): Promise<Uint8Array> {
  const { chain, certificates = chain.certificates } = options;
  const body = options.document?.(documentOf(options)) ?? documentOf(options);
  const digest = new Uint8Array(
    await crypto.subtle.digest('SHA-384', Uint8Array.from(canonicaliseXml(parseXml(utf8Encode(body))))),
  );
  const plainInfo = signedInfoOf(toBase64(digest));
  const info = options.signedInfo?.(plainInfo) ?? plainInfo;
  const envelope = (signature: string) =>
    `<ds:Signature xmlns:ds="${DSIG}">${info}<ds:SignatureValue>${signature}</ds:SignatureValue>` +
    `<ds:KeyInfo><ds:X509Data>${certificates.map((der) => `<ds:X509Certificate>${wrapped(der)}</ds:X509Certificate>`).join('')}` +
    '</ds:X509Data></ds:KeyInfo></ds:Signature>';
  const close = '</SoftwareIdentity>';
  const withSignature = (signature: string) => `${body.slice(0, -close.length)}${envelope(signature)}${close}`;
  const signature = await signRaw(
    options.signWith ?? chain.keys.signer,
    { kind: 'ecdsa', hash: 'SHA-384' },
    canonicalInfo(withSignature('')),
  );
  const signed = withSignature(toBase64(signature));
  return utf8Encode(options.signed?.(signed) ?? signed);
}

/** SignedInfo is canonicalised where it stands, with the namespaces that are in scope there. */
function canonicalInfo(document: string): Uint8Array {
  const signature = parseXml(utf8Encode(document)).children.findLast((child) => typeof child !== 'string');
  const [info] = signature?.children ?? [];
  if (info === undefined || typeof info === 'string') throw new TypeError('No SignedInfo.');
  return canonicaliseXml(info);
}

function documentOf({ product = 'GH100', edition = 'GPU', version, measurements }: ForgeRimOptions): string {
  const resources = Array.from({ length: 64 }, (_, index) => {
    const digests = measurements.get(index);
    const hashes = (digests ?? [new Uint8Array(48)])
      .map((digest, place) => `ns2:Hash${place}="${toHex(digest)}"`)
      .join(' ');
    const active = digests === undefined ? 'False' : 'True';
    return `        <ns0:Resource type="Measurement" index="${index}" active="${active}" alternatives="${digests?.length ?? 1}" ${hashes} name="Measurement_${index}" size="48"/>`;
  });
  return [
    `<SoftwareIdentity xmlns="${SWID}" xmlns:ns0="${SWID}" xmlns:ns2="${SHA384}" corpus="false" name="${product}" patch="false" supplemental="false" tagId="${'5a'.repeat(48)}" version="1.0" tagVersion="0">`,
    '    <ns0:Entity name="NVIDIA Corporation" role="softwareCreator tagCreator"/>',
    `    <ns0:Meta xmlns:ns1="${RIM}" colloquialVersion="${version}" edition="${edition}" product="${product}" revision="r1" PayloadType="direct" ns1:BindingSpec="RIMIM" ns1:PlatformModel="${product}"/>`,
    `    <ns0:Payload xmlns:SHA384="${SHA384}">`,
    ...resources,
    '    </ns0:Payload>',
    '</SoftwareIdentity>',
  ].join('\n');
}

function signedInfoOf(digest: string): string {
  return (
    `<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="${C14N}"/><ds:SignatureMethod Algorithm="${ALGORITHMS}ecdsa-sha384"/>` +
    `<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="${ENVELOPED}"/><ds:Transform Algorithm="${C14N}"/></ds:Transforms>` +
    `<ds:DigestMethod Algorithm="${ALGORITHMS}sha384"/><ds:DigestValue>${digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>`
  );
}

function wrapped(der: Uint8Array): string {
  return `${(toBase64(der).match(/.{1,64}/g) ?? []).join('\n')}\n`;
}
