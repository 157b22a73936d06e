import { decodePem, utf8Decode } from '@fastness/codec/bytes';
import { parseCertificate } from '@fastness/codec/x509';
import { under } from '../http/url.ts';
import { readable, verifyUpToPin } from '../judge.ts';
import type { EndorsementRequest } from '../types.ts';
import { confidentialSpacePins } from '../vtpm/requests.ts';

/** Google's root for tokens of Confidential Space that carry their chain. It counts only if its key is pinned already. */
export function confidentialSpaceRootRequest(): EndorsementRequest {
  const subject = 'google/confidential-space-root';
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/pkix-cert',
    signed: true,
    replaceable: true,
    refreshAfterMs: 30 * 24 * 3600 * 1000,
    maxBytes: 32_768,
    url: ({ googleConfidentialSpace }) => under(googleConfidentialSpace, '/.well-known/confidential_space_root.crt'),
    receive: ({ body }) => ({ body, issuerChain: [] }),
    judge: async ({ body }, { anchors }) => {
      const root = await readable(subject, () => parseCertificate(derOf(body)));
      await verifyUpToPin(subject, [root, root], confidentialSpacePins(anchors));
      return { issued: root.notBefore, expires: root.notAfter };
    },
  });
}

/** DER, or the PEM that is served under the same name. */
function derOf(body: Uint8Array): Uint8Array {
  if (body[0] === 0x30) return body;
  const [der] = decodePem(utf8Decode(body), 'CERTIFICATE', { maxBlocks: 1 });
  return der ?? new Uint8Array(0);
}
