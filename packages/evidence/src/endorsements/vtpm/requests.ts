import { createHash } from 'node:crypto';
import type { TrustAnchors } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate, parseCrl, verifySignedBy, type Certificate } from '@fastness/codec/x509';
import { under } from '../http/url.ts';
import { ageOfCrl, earliest, includesBytes, readable, readChain, verifyUpToPin, vouched } from '../judge.ts';
import type { EndorsementServices } from '../services.ts';
import { DAILY, NEVER, type EndorsementRequest } from '../types.ts';
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

/** The certificate that a certificate names as its issuer's. It proves nothing before the chain above it is complete. */
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

/** The same certificate with those above it up to a pinned root: this is what is kept. It is made, not fetched. */
export function issuerChainRequest(
  where: { readonly location: string } | { readonly digest: string },
): EndorsementRequest {
  const subject = `vtpm/issuer-chain/${'digest' in where ? where.digest : digestOf(where.location)}`;
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/pkix-cert',
    signed: true,
    replaceable: true,
    refreshAfterMs: NEVER,
    maxBytes: MAX_CERTIFICATE,
    url: refuseToFetch,
    receive: refuseToFetch,
    judge: async (item, { anchors }) => {
      const certificate = await readable(subject, () => parseCertificate(item.body));
      const chain = [certificate, ...(await readChain(subject, item.issuerChain))];
      await verifyUpToPin(subject, chain, vtpmPins(anchors));
      return {
        issued: certificate.notBefore,
        expires: earliest(certificate.notAfter, ...chain.map((each) => each.notAfter)),
      };
    },
  });
}

function refuseToFetch(): never {
  throw new FastnessError('ENDORSEMENT_EVIDENCE', 'Only evidence says where this lies.');
}

/** Where a list lies that a certificate names, and who issues it; or the digest by which it is kept. */
export type NamedList =
  { readonly location: string; readonly chain: readonly Certificate[] } | { readonly digest: string };

/**
 * A revocation list that a certificate above a virtual TPM names. `chain`: its issuer, and those above up to a pinned root.
 * With a digest in place of the location it can be judged, and not fetched.
 */
export function vtpmCrlRequest(where: NamedList): EndorsementRequest {
  return listRequest('vtpm/crl', vtpmPins, where);
}

/** As {@link vtpmCrlRequest}, of a certificate above a token of Confidential Space: Google keeps both in one place. */
export function confidentialSpaceCrlRequest(where: NamedList): EndorsementRequest {
  return listRequest('google/confidential-space-crl', confidentialSpacePins, where);
}

type Pins = (anchors: TrustAnchors) => readonly { readonly spkiSha256: string }[];

const vtpmPins: Pins = ({ gcpVtpm = [], azureVtpm = [] }) => [...gcpVtpm, ...azureVtpm];

/** Google's authorities for tokens that carry their chain. */
export const confidentialSpacePins: Pins = ({ tokens = [] }) =>
  tokens.filter(({ tee, kind }) => tee === 'gcp-confidential-space' && kind === 'authority');

function listRequest(prefix: string, pins: Pins, where: NamedList): EndorsementRequest {
  const subject = `${prefix}/${'digest' in where ? where.digest : digestOf(where.location)}`;
  const address = 'digest' in where ? undefined : addressOf(where.location);
  const asked = 'digest' in where ? undefined : where.chain.map(({ raw }) => raw);
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/pkix-crl',
    signed: true,
    replaceable: false,
    refreshAfterMs: DAILY,
    maxBytes: MAX_LIST,
    url: (services) => (address === undefined ? refuseToFetch() : at(address, services)),
    receive: ({ body }) => ({ body, issuerChain: asked ?? refuseToFetch() }),
    judge: async (item, { anchors }) => {
      const issuers = await readChain(subject, item.issuerChain);
      const crl = await readable(subject, () => parseCrl(item.body));
      await verifyUpToPin(subject, issuers, pins(anchors));
      const [issuer] = issuers;
      if (asked !== undefined && !includesBytes(asked.slice(0, 1), issuer?.raw ?? new Uint8Array(0))) {
        throw new FastnessError('ENDORSEMENT_MISMATCH', `${subject}: the list of another authority.`);
      }
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
