import { decodePem, fromHex, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { parseCrl, verifySignedBy } from '@fastness/codec/x509';
import { under, withoutQuery } from '../http/url.ts';
import type { HttpAnswer } from '../http/answer.ts';
import { ageOfCrl, readable, readChain, verifyUpToPin, vouched } from '../judge.ts';
import { DAILY, type EndorsementRequest, type JudgeOptions, type Judgement, type Received } from '../types.ts';
import { issuerChainOf } from './issuer-chain.ts';

/** The two CAs that issue PCK certificates: for platforms registered as a whole, and for single processors. */
export type PckCa = 'platform' | 'processor';

const MAX_LIST = 4 << 20;
const names: Readonly<Record<PckCa, string>> = Object.freeze({
  platform: 'Intel SGX PCK Platform CA',
  processor: 'Intel SGX PCK Processor CA',
});
const ROOT = 'Intel SGX Root CA';

/** The revocation list of a PCK CA. Asked for in DER; an answer in PEM, as old caching services give it, is read as well. */
export function pckCrlRequest({ ca }: { readonly ca: PckCa }): EndorsementRequest {
  const subject = `intel/pck-crl/${ca}`;
  return Object.freeze<EndorsementRequest>({
    ...common(subject),
    url: ({ intel }) => under(intel, '/sgx/certification/v4/pckcrl', { ca, encoding: 'der' }),
    receive: (answer) => ({
      body: listOf(answer),
      issuerChain: issuerChainOf(answer, ['SGX-PCK-CRL-Issuer-Chain']),
    }),
    judge: async (item, options) => judgeList(subject, item, options, names[ca], 2),
  });
}

/**
 * The revocation list of the root. The service sends no certificate along, so the root that the quote or another answer
 * brought goes with it; it counts only if its key is pinned.
 */
export function rootCrlRequest({ root }: { readonly root?: Uint8Array } = {}): EndorsementRequest {
  const subject = 'intel/root-crl';
  return Object.freeze<EndorsementRequest>({
    ...common(subject),
    url: ({ intelRootCrl }) => under(intelRootCrl, ''),
    receive: (answer) => {
      if (root === undefined) throw new FastnessError('ENDORSEMENT_EVIDENCE', `${subject}: no root to judge it by.`);
      return { body: listOf(answer), issuerChain: [root] };
    },
    judge: async (item, options) => judgeList(subject, item, options, ROOT, 1),
  });
}

function common(subject: string) {
  return {
    subject,
    mediaType: 'application/pkix-crl',
    signed: true,
    replaceable: false,
    refreshAfterMs: DAILY,
    maxBytes: MAX_LIST,
  } as const;
}

async function judgeList(
  subject: string,
  item: Received,
  { anchors }: JudgeOptions,
  name: string,
  length: number,
): Promise<Judgement> {
  const chain = await readChain(subject, item.issuerChain);
  const crl = await readable(subject, () => parseCrl(item.body));
  await verifyUpToPin(subject, chain, anchors.intel ?? []);
  const [issuer] = chain;
  if (issuer === undefined || chain.length !== length || issuer.subject.commonName !== name) {
    throw new FastnessError('ENDORSEMENT_MISMATCH', `${subject}: a list of ${issuer?.subject.commonName ?? 'nobody'}.`);
  }
  await vouched(subject, async () => verifySignedBy(crl, issuer));
  return ageOfCrl(subject, crl, chain);
}

/** DER, or the PEM or hex that caching services send; what is kept is the DER that Intel signed. */
function listOf({ body, url }: HttpAnswer): Uint8Array {
  // A list is a SEQUENCE; neither PEM nor hex begins with its tag and a long length.
  if (body[0] === 0x30 && (body[1] ?? 0) >= 0x80) return body;
  try {
    const text = utf8Decode(body).trim();
    if (!text.startsWith('-----')) return fromHex(text.toLowerCase());
    const [list] = decodePem(text, 'X509 CRL', { maxLength: 2 * MAX_LIST, maxBlocks: 1 });
    if (list !== undefined) return list;
  } catch (cause) {
    throw new FastnessError('ENDORSEMENT_RESPONSE', `${withoutQuery(url)}: not a revocation list.`, { cause });
  }
  throw new FastnessError('ENDORSEMENT_RESPONSE', `${withoutQuery(url)}: not a revocation list.`);
}
