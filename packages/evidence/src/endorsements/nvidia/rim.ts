import { createHash } from 'node:crypto';
import { readRim } from '@fastness/attest/formats/nvidia';
import { equalBytes, fromBase64, plainBytes, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { verifyRawSignature } from '@fastness/codec/x509';
import * as z from 'zod';
import type { HttpAnswer } from '../http/answer.ts';
import { under, withoutQuery } from '../http/url.ts';
import { readable, requireSame, verifyUpToPin, vouched } from '../judge.ts';
import type { EndorsementRequest } from '../types.ts';

/** Names as NVIDIA's service gives them: product, then the version of driver or firmware. */
export const RIM_ID: RegExp = /^[A-Z0-9][A-Za-z0-9._-]{0,127}$/;
const MAX_RIM = 512 * 1024;

const answerSchema = z.object({ id: z.string(), rim: z.string().max(MAX_RIM), sha256: z.string() });

/**
 * A reference integrity manifest by its name (NVIDIA RIM service, `GET /v1/rim/{id}`): JSON with the document in base64 and
 * its SHA-256. The signature is what counts; the digest tells a damaged answer from a forged one. NVIDIA goes on serving
 * documents whose signing certificate has expired, so their dates are left to the verifier and its policy.
 */
export function rimRequest({ id }: { readonly id: string }): EndorsementRequest {
  if (!RIM_ID.test(id)) throw new FastnessError('ENDORSEMENT_EVIDENCE', 'Not a name of a reference document.');
  const subject = `nvidia/rim/${id}`;
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/swid+xml',
    signed: true,
    replaceable: true,
    refreshAfterMs: 30 * 24 * 3600 * 1000,
    maxBytes: MAX_RIM,
    url: ({ nvidiaRim }) => under(nvidiaRim, `/v1/rim/${id}`),
    receive: (answer) => ({ body: documentOf(answer, id), issuerChain: [] }),
    judge: async ({ body }, { anchors }) => {
      const document = await readable(subject, () => readRim(body));
      const { certificates, content, digest, signedInfo, signature } = document.signed;
      await verifyUpToPin(subject, certificates, anchors.nvidiaRims ?? []);
      const [leaf] = certificates;
      if (leaf === undefined) throw new FastnessError('ENDORSEMENT_UNAUTHENTIC', `${subject}: no certificate.`);
      await vouched(subject, async () => {
        const actual = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-384', plainBytes(content)));
        if (!equalBytes(actual, digest))
          throw new FastnessError('X509_SIGNATURE', 'The digest is of another document.');
        const algorithm = { kind: 'ecdsa', hash: 'SHA-384' } as const;
        await verifyRawSignature({ holder: leaf, algorithm, signature, message: signedInfo });
      });
      // A name ends in the version: of a driver as it is, of firmware without its dots.
      const version = document.version.toUpperCase();
      const ending = id.toUpperCase().endsWith(`_${version}`) ? version : version.replaceAll('.', '');
      requireSame('A document of version', id.slice(id.lastIndexOf('_') + 1).toUpperCase(), ending);
      return { issued: leaf.notBefore };
    },
  });
}

function documentOf({ body, url }: HttpAnswer, id: string): Uint8Array {
  const where = withoutQuery(url);
  const fault = (why: string, cause?: unknown) =>
    new FastnessError('ENDORSEMENT_RESPONSE', `${where}: ${why}.`, { cause });
  let answer: z.infer<typeof answerSchema>;
  let document: Uint8Array;
  try {
    answer = answerSchema.parse(JSON.parse(utf8Decode(body)));
    document = fromBase64(answer.rim);
  } catch (cause) {
    throw fault('not the JSON of a reference document', cause);
  }
  requireSame('The document', id, answer.id.slice(0, 200));
  const digest = createHash('sha256').update(document).digest('hex');
  if (digest !== answer.sha256.toLowerCase()) throw fault('its digest is of another document');
  return document;
}
