import { equalBytes, plainBytes } from '@fastness/codec/bytes';
import { der, readDerSequence } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { answerFor, authorisedResponder, parseOcspResponse } from '@fastness/codec/ocsp';
import { verifySignature, verifySignedBy, type Certificate } from '@fastness/codec/x509';
import { under, withoutQuery } from '../http/url.ts';
import { readable, readChain, requireSame, sha256Hex, verifyUpToPin, vouched } from '../judge.ts';
import type { EndorsementRequest } from '../types.ts';

const MAX_RESPONSE = 65_536;
const NONCE_BYTES = 32;
const NONCE = '1.3.6.1.5.5.7.48.1.2';
const SHA384 = '2.16.840.1.101.3.4.2.2';
const DAY_MS = 24 * 3600 * 1000;
/** The responder answers with the time of asking, and its clock may be ahead of ours. */
const SKEW_MS = 60_000;

/**
 * Asks NVIDIA's OCSP responder about one certificate (RFC 6960; nonce of RFC 9654, 32 bytes). `chain`: the certificate, its
 * issuer, and those above up to a pinned root of devices or documents. Whether it is good is for the verifier to judge:
 * fetched is also the answer that it is revoked.
 *
 * An answer without an end counts for a day. While the responder is reachable it is asked each time; a kept answer is used
 * only in its place, and offline.
 */
export async function ocspRequest(options: {
  readonly chain: readonly Certificate[];
  /** Default: random. */
  readonly nonce?: Uint8Array;
}): Promise<EndorsementRequest> {
  const { chain, nonce = globalThis.crypto.getRandomValues(new Uint8Array(NONCE_BYTES)) } = options;
  const [certificate, issuer] = chain;
  if (certificate === undefined || issuer === undefined) {
    throw new FastnessError('ENDORSEMENT_EVIDENCE', 'A certificate and its issuer are needed to ask about it.');
  }
  const subject = `nvidia/ocsp/${await sha256Hex(certificate.raw)}`;
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/ocsp-response',
    signed: true,
    replaceable: false,
    refreshAfterMs: 0,
    maxBytes: MAX_RESPONSE,
    method: 'POST',
    headers: { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response' },
    body: await encodeOcspRequest(certificate, issuer, nonce),
    url: ({ nvidiaOcsp }) => under(nvidiaOcsp, '/'),
    receive: ({ body, url }) => {
      requireNonce(body, nonce, withoutQuery(url));
      return { body, issuerChain: chain.map(({ raw }) => raw) };
    },
    judge: judgeOcsp(subject),
  });
}

/** What an item of this subject is judged by, where the certificate came with it. */
export function storedOcspRequest(digest: string): EndorsementRequest {
  const subject = `nvidia/ocsp/${digest}`;
  const refuse = (): never => {
    throw new FastnessError('ENDORSEMENT_EVIDENCE', `${subject}: a digest alone cannot be asked about.`);
  };
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/ocsp-response',
    signed: true,
    replaceable: false,
    refreshAfterMs: 0,
    maxBytes: MAX_RESPONSE,
    url: refuse,
    receive: refuse,
    judge: judgeOcsp(subject),
  });
}

function judgeOcsp(subject: string): EndorsementRequest['judge'] {
  return async ({ body, issuerChain }, { anchors }) => {
    const chain = await readChain(subject, issuerChain);
    const [certificate, issuer] = chain;
    if (certificate === undefined || issuer === undefined) {
      throw new FastnessError('ENDORSEMENT_UNAUTHENTIC', `${subject}: no certificate to judge it by.`);
    }
    requireSame('An answer about', subject.slice(subject.lastIndexOf('/') + 1), await sha256Hex(certificate.raw));
    const response = await readable(subject, () => parseOcspResponse(body));
    await verifyUpToPin(subject, chain, [...(anchors.nvidiaDevices ?? []), ...(anchors.nvidiaRims ?? [])]);
    const answer = await readable(subject, async () => answerFor(response, certificate, issuer));
    if (answer === undefined) {
      throw new FastnessError('ENDORSEMENT_MISMATCH', `${subject}: the answer is about another certificate.`);
    }
    const responder = await authorisedResponder(response, issuer, response.producedAt);
    if (responder === undefined) {
      throw new FastnessError('ENDORSEMENT_UNAUTHENTIC', `${subject}: answered by nobody whom the issuer authorised.`);
    }
    const { signer, delegated } = responder;
    const { signatureAlgorithm: algorithm, signature, tbs: message } = response;
    await vouched(subject, async () => {
      if (delegated) await verifySignedBy(signer, issuer);
      await verifySignature({ holder: signer, algorithm, signature, message });
    });
    const { thisUpdate, nextUpdate } = answer;
    return {
      issued: new Date(thisUpdate.getTime() - SKEW_MS),
      expires: nextUpdate ?? new Date(thisUpdate.getTime() + DAY_MS),
    };
  };
}

/** OCSPRequest with one CertID in SHA-384 and a nonce; not signed. */
async function encodeOcspRequest(
  certificate: Certificate,
  issuer: Certificate,
  nonce: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = readDerSequence(issuer.spki, (fields) => {
    fields.element();
    return fields.bitString();
  });
  const hash = async (bytes: Uint8Array) =>
    new Uint8Array(await globalThis.crypto.subtle.digest('SHA-384', plainBytes(bytes)));
  const certificateId = der.sequence(
    der.sequence(der.oid(SHA384), der.null()),
    der.octetString(await hash(issuer.subject.raw)),
    der.octetString(await hash(key)),
    der.unsigned(certificate.serial),
  );
  const extension = der.sequence(der.oid(NONCE), der.octetString(der.octetString(nonce)));
  return der.sequence(
    der.sequence(der.sequence(der.sequence(certificateId)), der.explicit(2, der.sequence(extension))),
  );
}

/** Only a fresh answer is compared: a kept one carries the nonce of when it was fresh. */
function requireNonce(body: Uint8Array, nonce: Uint8Array, where: string): void {
  let answered: Uint8Array | undefined;
  try {
    ({ nonce: answered } = parseOcspResponse(body));
  } catch (cause) {
    throw new FastnessError('ENDORSEMENT_RESPONSE', `${where}: not an OCSP response.`, { cause });
  }
  if (answered === undefined || !equalBytes(answered, nonce)) throw new FastnessError('ENDORSEMENT_NONCE', `${where}.`);
}
