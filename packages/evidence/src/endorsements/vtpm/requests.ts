import { createHash } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate, parseCrl, verifySignedBy, type Certificate } from '@fastness/codec/x509';
import { under } from '../http/url.ts';
import { ageOfCrl, readable, readChain, verifyUpToPin, vouched } from '../judge.ts';
import type { EndorsementServices } from '../services.ts';
import { DAILY, type EndorsementRequest } from '../types.ts';
import { unsignedRequest } from '../unsigned.ts';

const MAX_CERTIFICATE = 16_384;
const MAX_LIST = 4 << 20;

/**
 * Hosts that certificates above virtual TPMs name. Certificates come with evidence: without this list, whoever sends evidence
 * could make the verifier ask any address at all.
 */
const hosts: readonly RegExp[] = [
  /^privateca-content-[0-9a-f-]{1,64}\.storage\.googleapis\.com\/[\w./-]{1,256}$/,
  /^www\.microsoft\.com\/pkiops\/(?:certs|crl)\/[\w.%-]{1,256}$/,
];

/**
 * The certificate that a certificate names as its issuer's. It proves nothing before the chain above it is complete, so it is
 * kept like a document without a signature.
 */
export function issuerCertificateRequest({ location }: { readonly location: string }): EndorsementRequest {
  const subject = `vtpm/issuer/${digestOf(location)}`;
  const address = addressOf(location);
  return unsignedRequest({
    subject,
    mediaType: 'application/pkix-cert',
    maxBytes: MAX_CERTIFICATE,
    url: (services) => at(address, services),
    check: (body) => {
      try {
        parseCertificate(body);
      } catch (cause) {
        throw new FastnessError('ENDORSEMENT_RESPONSE', `${subject}: not a certificate.`, { cause });
      }
    },
  });
}

/** A revocation list that a certificate names. `chain`: its issuer, and those above up to a pinned root. */
export function vtpmCrlRequest(options: {
  readonly location: string;
  readonly chain: readonly Certificate[];
}): EndorsementRequest {
  const { location, chain } = options;
  const subject = `vtpm/crl/${digestOf(location)}`;
  const address = addressOf(location);
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/pkix-crl',
    signed: true,
    replaceable: false,
    refreshAfterMs: DAILY,
    maxBytes: MAX_LIST,
    url: (services) => at(address, services),
    receive: ({ body }) => ({ body, issuerChain: chain.map(({ raw }) => raw) }),
    judge: async (item, { anchors }) => {
      const issuers = await readChain(subject, item.issuerChain);
      const crl = await readable(subject, () => parseCrl(item.body));
      await verifyUpToPin(subject, issuers, [...(anchors.gcpVtpm ?? []), ...(anchors.azureVtpm ?? [])]);
      const [issuer] = issuers;
      await vouched(subject, async () => {
        if (issuer !== undefined) await verifySignedBy(crl, issuer);
      });
      return ageOfCrl(subject, crl, issuers);
    },
  });
}

/** Host and path of an address that may be asked. Certificates still say http; both hosts answer https as well. */
function addressOf(location: string): string {
  const [, address = ''] = /^https?:\/\/(.*)$/.exec(location) ?? [];
  if (!hosts.some((pattern) => pattern.test(address)) || address.includes('..')) {
    throw new FastnessError('ENDORSEMENT_URL', 'A certificate names an address outside those of Google and Microsoft.');
  }
  return address;
}

function at(address: string, { vtpmMirror }: EndorsementServices): URL {
  return vtpmMirror === undefined ? new URL(`https://${address}`) : under(vtpmMirror, `/${address}`);
}

function digestOf(location: string): string {
  return createHash('sha256').update(location).digest('hex');
}
