import { DerReader, readDerSequence } from '../der/reader.ts';
import { contextConstructed, contextPrimitive, derTags } from '../der/tags.ts';
import { FastnessError } from '../errors/index.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { readExtensions } from '../x509/extensions.ts';
import { readName } from '../x509/name.ts';
import { readSignatureAlgorithm } from '../x509/signature-algorithm.ts';
import { readSerial } from '../x509/signed-object.ts';
import type { Certificate, Extension } from '../x509/types.ts';
import type {
  OcspAnswer,
  OcspCertificateId,
  OcspHashName,
  OcspResponderId,
  OcspResponse,
  OcspStatus,
} from './types.ts';

const MAX_BYTES = 64 * 1024;
const MAX_ANSWERS = 64;
const MAX_CERTIFICATES = 8;
const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1';
const NONCE = '1.3.6.1.5.5.7.48.1.2';

const hashes: ReadonlyMap<string, { readonly hash: OcspHashName; readonly bytes: number }> = new Map([
  ['1.3.14.3.2.26', { hash: 'SHA-1', bytes: 20 }],
  ['2.16.840.1.101.3.4.2.1', { hash: 'SHA-256', bytes: 32 }],
  ['2.16.840.1.101.3.4.2.2', { hash: 'SHA-384', bytes: 48 }],
  ['2.16.840.1.101.3.4.2.3', { hash: 'SHA-512', bytes: 64 }],
]);

/**
 * Reads one DER OCSP response (RFC 6960, section 4.2.1) and nothing after it. The subset: successful basic responses of
 * version 1, at most 64 KiB, 64 answers and 8 certificates, one instance of each extension, no critical one but the nonce.
 * Nothing is verified here.
 * @throws CODEC_*, X509_*; CODEC_UNSUPPORTED for a responder's error and for other kinds of response
 */
export function parseOcspResponse(der: Uint8Array): OcspResponse {
  if (der.length > MAX_BYTES) throw new FastnessError('CODEC_LIMIT', `An OCSP response of ${der.length} bytes.`);
  const basic = readDerSequence(der, (outer) => {
    const { content: status } = outer.expect(derTags.enumerated);
    if (status.length !== 1 || status[0] !== 0) {
      throw new FastnessError('CODEC_UNSUPPORTED', `The OCSP responder answered with error ${status.join('.')}.`);
    }
    return required(outer, 0, (tagged) => {
      const fields = tagged.sequence();
      if (fields.oid() !== BASIC_RESPONSE) throw new FastnessError('CODEC_UNSUPPORTED', 'No basic OCSP response.');
      const bytes = fields.octetString();
      fields.end();
      return bytes;
    });
  });
  return readDerSequence(basic, (fields) => {
    const tbs = fields.expect(derTags.sequence);
    const signatureAlgorithm = readSignatureAlgorithm(fields.expect(derTags.sequence));
    const signature = fields.bitString();
    const certificates = readCertificates(fields.explicit(0));
    const data = fields.inside(tbs);
    return { tbs: tbs.raw, signatureAlgorithm, signature, certificates, ...readResponseData(data) };
  });
}

function readResponseData(
  data: DerReader,
): Pick<OcspResponse, 'responder' | 'producedAt' | 'answers' | 'nonce' | 'extensions'> {
  if (data.peek() === contextConstructed(0)) throw new FastnessError('CODEC_UNSUPPORTED', 'An OCSP version.');
  const responder = readResponder(data);
  const producedAt = data.time();
  const list = data.sequence();
  const answers: OcspAnswer[] = [];
  while (list.remaining > 0) {
    if (answers.length >= MAX_ANSWERS) throw new FastnessError('CODEC_LIMIT', 'An OCSP response of too many answers.');
    answers.push(readAnswer(list.sequence()));
  }
  const extensions = readAll(data.explicit(1), [NONCE]);
  data.end();
  const nonce = extensions.get(NONCE);
  if (nonce === undefined) return { responder, producedAt, answers, extensions };
  const reader = new DerReader(nonce.value);
  const value = reader.octetString();
  reader.end();
  return { responder, producedAt, answers, extensions, nonce: value };
}

function readResponder(data: DerReader): OcspResponderId {
  const byName = data.explicit(1);
  if (byName !== undefined) {
    const { raw } = readName(byName);
    byName.end();
    return { kind: 'name', name: raw };
  }
  return required(data, 2, (tagged) => {
    const sha1 = tagged.octetString();
    if (sha1.length !== 20) throw new FastnessError('CODEC_MALFORMED', 'An OCSP responder key hash is 20 bytes.');
    return { kind: 'key', sha1 };
  });
}

function readAnswer(fields: DerReader): OcspAnswer {
  const id = readCertificateId(fields.sequence());
  const status = readStatus(fields);
  const thisUpdate = fields.time();
  const next = fields.explicit(0);
  const nextUpdate = next?.time();
  next?.end();
  readAll(fields.explicit(1), []);
  fields.end();
  return { id, status, thisUpdate, ...(nextUpdate === undefined ? {} : { nextUpdate }) };
}

function readCertificateId(fields: DerReader): OcspCertificateId {
  const algorithm = fields.sequence();
  const oid = algorithm.oid();
  if (algorithm.remaining > 0) algorithm.null();
  algorithm.end();
  const known = hashes.get(oid);
  if (known === undefined) throw new FastnessError('CODEC_UNSUPPORTED', `OCSP hash ${oid}.`);
  const issuerNameHash = fields.octetString();
  const issuerKeyHash = fields.octetString();
  const serial = readSerial(fields);
  fields.end();
  if (issuerNameHash.length !== known.bytes || issuerKeyHash.length !== known.bytes) {
    throw new FastnessError('CODEC_MALFORMED', 'An OCSP hash of the wrong length.');
  }
  return { hash: known.hash, issuerNameHash, issuerKeyHash, serial };
}

function readStatus(fields: DerReader): OcspStatus {
  for (const [number, kind] of [[0, 'good'] as const, [2, 'unknown'] as const]) {
    const element = fields.optional(contextPrimitive(number));
    if (element === undefined) continue;
    if (element.content.length > 0) throw new FastnessError('CODEC_MALFORMED', 'An OCSP status with content.');
    return { kind };
  }
  return required(fields, 1, (revoked) => {
    const date = revoked.time();
    const tagged = revoked.explicit(0);
    if (tagged === undefined) return { kind: 'revoked', date };
    const { content } = tagged.expect(derTags.enumerated);
    tagged.end();
    const [reason] = content;
    if (content.length !== 1 || reason === undefined) {
      throw new FastnessError('CODEC_MALFORMED', 'A revocation reason is one octet.');
    }
    return { kind: 'revoked', date, reason };
  });
}

function readCertificates(tagged: DerReader | undefined): Certificate[] {
  if (tagged === undefined) return [];
  const list = tagged.sequence();
  tagged.end();
  const certificates: Certificate[] = [];
  while (list.remaining > 0) {
    if (certificates.length >= MAX_CERTIFICATES) {
      throw new FastnessError('CODEC_LIMIT', 'An OCSP response with too many certificates.');
    }
    certificates.push(parseCertificate(list.expect(derTags.sequence).raw));
  }
  return certificates;
}

function readAll(tagged: DerReader | undefined, understood: readonly string[]): ReadonlyMap<string, Extension> {
  const extensions = tagged === undefined ? new Map<string, Extension>() : readExtensions(tagged);
  for (const [oid, { critical }] of extensions) {
    if (critical && !understood.includes(oid)) throw new FastnessError('X509_CRITICAL_EXTENSION', `OCSP ${oid}.`);
  }
  return extensions;
}

/** The content of [number], which must be next and must be read to its end. */
function required<T>(fields: DerReader, number: number, read: (tagged: DerReader) => T): T {
  const tagged = fields.explicit(number);
  if (tagged === undefined) throw new FastnessError('CODEC_MALFORMED', `OCSP field [${number}] expected.`);
  const value = read(tagged);
  tagged.end();
  return value;
}
