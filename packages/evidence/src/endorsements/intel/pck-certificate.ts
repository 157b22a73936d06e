import { readPckFacts } from '@fastness/attest/formats/dcap';
import { decodePem, toHex, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate, type Certificate } from '@fastness/codec/x509';
import { under, withoutQuery } from '../http/url.ts';
import { earliest, readable, readChain, requireSame, sha256Hex, verifyUpToPin } from '../judge.ts';
import { NEVER, type EndorsementRequest, type Received } from '../types.ts';
import { issuerChainOf } from './issuer-chain.ts';

/** What a quote of certification type 2 or 3 carries instead of a PCK certificate. */
export interface PckQuery {
  /** The encrypted PPID, 384 bytes (RSA-OAEP under Intel's key) or 256. */
  readonly encryptedPpid: Uint8Array;
  /** 16 bytes. */
  readonly cpuSvn: Uint8Array;
  readonly pceSvn: number;
  /** 4 hex digits, as a PCK certificate and TCB info write it. */
  readonly pceId: string;
  /** Id of the quoting enclave, 16 bytes: a PCCS looks its platforms up by it. */
  readonly qeId?: Uint8Array;
}

const MAX_CERTIFICATE = 32_768;

/**
 * The PCK certificate of a platform, by its encrypted PPID, from a PCCS (Intel's own service answers subscribers only).
 * The certificate cannot be compared with the encrypted PPID; the signatures of a quote show whether it is the right one.
 */
export async function pckCertificateRequest(query: PckQuery): Promise<EndorsementRequest> {
  const { encryptedPpid, cpuSvn, pceSvn, pceId, qeId } = query;
  if (![256, 384].includes(encryptedPpid.length) || cpuSvn.length !== 16) {
    throw new FastnessError('ENDORSEMENT_EVIDENCE', 'An encrypted PPID has 256 or 384 bytes, a CPU SVN 16.');
  }
  if (!/^[0-9a-f]{4}$/.test(pceId)) throw new FastnessError('ENDORSEMENT_EVIDENCE', 'A PCE id has 4 hex digits.');
  const parameters = {
    encrypted_ppid: toHex(encryptedPpid),
    cpusvn: toHex(cpuSvn),
    pcesvn: u16Hex(pceSvn),
    pceid: pceId,
    ...(qeId === undefined ? {} : { qeid: toHex(qeId) }),
  };
  const named = { pceId, cpuSvn: toHex(cpuSvn), pceSvn, encryptedPpidSha256: await sha256Hex(encryptedPpid) };
  return Object.freeze({
    ...storedPckCertificateRequest(named),
    url: ({ intel }) => under(intel, '/sgx/certification/v4/pckcert', parameters),
  } satisfies EndorsementRequest);
}

/** The same certificate by what it is kept under: it can be judged, and not fetched. Hex is lower-case. */
export function storedPckCertificateRequest(named: {
  readonly pceId: string;
  readonly cpuSvn: string;
  readonly pceSvn: number;
  readonly encryptedPpidSha256: string;
}): EndorsementRequest {
  const { pceId, cpuSvn, pceSvn, encryptedPpidSha256 } = named;
  const subject = `intel/pck/${pceId}/${cpuSvn}/${pceSvn}/${encryptedPpidSha256}`;
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/x-pem-file',
    signed: true,
    replaceable: true,
    refreshAfterMs: NEVER,
    maxBytes: MAX_CERTIFICATE,
    url: () => {
      throw new FastnessError(
        'ENDORSEMENT_EVIDENCE',
        'Only a quote holds the encrypted PPID that this is asked for by.',
      );
    },
    receive: (answer) => {
      if (answer.body.length === 0) {
        throw new FastnessError('ENDORSEMENT_RESPONSE', `${withoutQuery(answer.url)}: no certificate.`);
      }
      return { body: answer.body, issuerChain: issuerChainOf(answer, ['SGX-PCK-Certificate-Issuer-Chain']) };
    },
    judge: async (item, { anchors }) => {
      const issuers = await readChain(subject, item.issuerChain);
      const certificate = await readable(subject, () => {
        const [first] = decodePem(utf8Decode(item.body), 'CERTIFICATE', { maxBlocks: 1 });
        return parseCertificate(first ?? new Uint8Array(0));
      });
      await verifyUpToPin(subject, [certificate, ...issuers], anchors.intel ?? []);
      const facts = await readable(subject, () => readPckFacts(certificate));
      requireSame('A certificate for PCE', pceId, facts.pceId);
      const chain = [certificate, ...issuers];
      return {
        issued: certificate.notBefore,
        expires: earliest(certificate.notAfter, ...chain.map(({ notAfter }) => notAfter)),
      };
    },
  });
}

/** The chain of an item that was judged: PCK certificate, its issuer, the root. */
export function pckCertificatesOf({ body, issuerChain }: Received): Certificate[] {
  const [leaf = new Uint8Array(0)] = decodePem(utf8Decode(body), 'CERTIFICATE', { maxBlocks: 1 });
  return [leaf, ...issuerChain].map((der) => parseCertificate(der));
}

/** As the service writes numbers of two bytes: little-endian hex. */
function u16Hex(value: number): string {
  if (!Number.isInteger(value) || value < 0 || value > 0xff_ff) {
    throw new FastnessError('ENDORSEMENT_EVIDENCE', 'A PCE SVN has two bytes.');
  }
  return toHex(Uint8Array.of(value & 0xff, value >> 8));
}
