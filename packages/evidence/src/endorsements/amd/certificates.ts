import type { SnpProductName } from '@fastness/attest';
import { snpProducts } from '@fastness/attest/formats/snp';
import { decodePem, toHex, utf8Decode } from '@fastness/codec/bytes';
import { DerReader } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate, verifySignedBy, type Certificate } from '@fastness/codec/x509';
import { under, withoutQuery } from '../http/url.ts';
import { earliest, latest, readable, readChain, requireSame, verifyUpToPin, vouched } from '../judge.ts';
import { NEVER, type EndorsementRequest, type JudgeOptions, type Received } from '../types.ts';
import { tcbQuery } from './products.ts';

/** The two kinds of signing key: of a chip, or of a cloud provider. */
export type AmdKeyKind = 'vcek' | 'vlek';

const MAX_CERTIFICATES = 32_768;
const HWID = '1.3.6.1.4.1.3704.1.4';
const SPL = '1.3.6.1.4.1.3704.1.3';

/** ASK or ASVK, and ARK: the two certificates above every VCEK or VLEK of a product. Kept as the PEM that was sent. */
export function amdChainRequest(options: {
  readonly kind: AmdKeyKind;
  readonly product: SnpProductName;
}): EndorsementRequest {
  const { kind, product } = options;
  const subject = `amd/chain/${kind}/${product}`;
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/x-pem-file',
    signed: true,
    replaceable: true,
    // AMD has replaced an ASK before; a month is soon enough, as revocation goes by the list.
    refreshAfterMs: 30 * 24 * 3600 * 1000,
    maxBytes: MAX_CERTIFICATES,
    url: ({ amd }) => under(amd, `/${kind}/v1/${product}/cert_chain`),
    receive: ({ body }) => ({ body, issuerChain: [] }),
    judge: async ({ body }, judgeOptions) => {
      const chain = await readable(subject, () => certificatesOf(body).map((der) => parseCertificate(der)));
      await verifyAmdChain(subject, chain, kind, product, judgeOptions);
      return {
        issued: latest(...datesOf(chain, 'notBefore')),
        expires: earliest(...datesOf(chain, 'notAfter')),
      };
    },
  });
}

/** DER of the certificates in an answer to {@link amdChainRequest}. */
export function certificatesOf(body: Uint8Array): Uint8Array[] {
  return decodePem(utf8Decode(body), 'CERTIFICATE', { maxBlocks: 2 });
}

/**
 * The VCEK of one chip at one TCB version. `hwid`: 64 bytes, on Turin 8, hex; `tcb`: the 8 bytes of the report, hex.
 * `chain`: ASK and ARK, DER, which the certificate is judged by.
 */
export function vcekRequest(options: {
  readonly product: SnpProductName;
  readonly hwid: string;
  readonly tcb: string;
  readonly chain?: readonly Uint8Array[];
}): EndorsementRequest {
  const { product, hwid, tcb, chain } = options;
  const subject = `amd/vcek/${product}/${hwid}/${tcb}`;
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/pkix-cert',
    signed: true,
    replaceable: true,
    refreshAfterMs: NEVER,
    maxBytes: MAX_CERTIFICATES,
    url: ({ amd }) => under(amd, `/vcek/v1/${product}/${hwid}`, tcbQuery(product, tcb)),
    receive: ({ body, url }) => {
      if (chain === undefined)
        throw new FastnessError('ENDORSEMENT_EVIDENCE', `${withoutQuery(url)}: no chain to judge it by.`);
      return { body, issuerChain: chain };
    },
    judge: async (item, judgeOptions) => judgeVcek(subject, item, { product, hwid, tcb }, judgeOptions),
  });
}

async function judgeVcek(
  subject: string,
  item: Received,
  asked: { readonly product: SnpProductName; readonly hwid: string; readonly tcb: string },
  options: JudgeOptions,
) {
  const issuers = await readChain(subject, item.issuerChain);
  const leaf = await readable(subject, () => parseCertificate(item.body));
  const [ask] = issuers;
  await verifyAmdChain(subject, issuers, 'vcek', asked.product, options);
  await vouched(subject, async () => {
    if (ask !== undefined) await verifySignedBy(leaf, ask);
  });
  const facts = await readable(subject, () => readVcek(leaf, asked.product));
  requireSame('VCEK of chip', asked.hwid, facts.hwid);
  requireSame('VCEK of TCB', asked.tcb, facts.tcb);
  const chain: [Certificate, ...Certificate[]] = [leaf, ...issuers];
  return { issued: leaf.notBefore, expires: earliest(...datesOf(chain, 'notAfter')) };
}

/** Intermediate and root, in this order, of the product: names tell the roles of one root apart, its key is pinned. */
export async function verifyAmdChain(
  subject: string,
  chain: readonly Certificate[],
  kind: AmdKeyKind,
  product: SnpProductName,
  { anchors }: JudgeOptions,
): Promise<void> {
  const pins = (anchors.snp ?? []).filter((anchor) => anchor.product === product);
  const root = await verifyUpToPin(subject, chain, pins);
  await vouched(subject, async () => verifySignedBy(root, root));
  const [intermediate] = chain;
  const expected = `SEV-${kind === 'vlek' ? 'VLEK-' : ''}${product}`;
  if (
    chain.length !== 2 ||
    intermediate?.subject.commonName !== expected ||
    root.subject.commonName !== `ARK-${product}`
  ) {
    throw new FastnessError('ENDORSEMENT_MISMATCH', `${subject}: not ${expected} and ARK-${product}.`);
  }
}

/** What AMD certifies of a chip: its id and the TCB version that the key was derived from, as hex. */
function readVcek(leaf: Certificate, product: SnpProductName): { readonly hwid: string; readonly tcb: string } {
  const { chipIdBytes, tcb } = snpProducts[product];
  const value = (oid: string): Uint8Array => {
    const extension = leaf.extensions.get(oid);
    if (extension === undefined) throw new FastnessError('ENDORSEMENT_RESPONSE', `A VCEK without extension ${oid}.`);
    return extension.value;
  };
  const id = value(HWID);
  // AMD writes the bare bytes; an OCTET STRING around them is read as well.
  const hwid = id.length === chipIdBytes ? id : new DerReader(id).octetString();
  const svns = tcb.map(({ extension }) => new DerReader(value(`${SPL}.${extension}`)).smallInteger());
  return { hwid: toHex(hwid), tcb: toHex(Uint8Array.from(svns)) };
}

function datesOf(certificates: readonly Certificate[], end: 'notBefore' | 'notAfter'): [Date, ...Date[]] {
  const [first, ...others] = certificates.map((certificate) => certificate[end]);
  if (first === undefined) throw new FastnessError('ENDORSEMENT_RESPONSE', 'No certificate.');
  return [first, ...others];
}
