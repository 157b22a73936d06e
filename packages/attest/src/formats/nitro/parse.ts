import { decodeCbor } from '@fastness/codec/cbor';
import { decodeSign1, type Sign1 } from '@fastness/codec/cose';
import { Checklist } from '../../checks.ts';
import type { Cmw } from '../../cmw.ts';
import { readCertificate, type VerificationMeans } from '../../means.ts';
import { readDocument } from './document.ts';
import { decodeNitroEvidence } from './evidence.ts';
import { ES384, MAX_DOCUMENT_BYTES, MAX_PAYLOAD_BYTES } from './layout.ts';
import { ParsedDocument } from './stages.ts';
import './errors.ts';

/** A payload has at most 9 fields, 32 registers and 8 certificates. */
const limits = Object.freeze({ maxBytes: MAX_PAYLOAD_BYTES, maxDepth: 3, maxItems: 128 });

/**
 * Reads an attestation document: a COSE_Sign1 message, untagged or tagged 18, that fills its envelope, with the algorithm
 * alone in the protected header and nothing unprotected. The payload is one CBOR map with or without a length (AWS writes
 * both), its keys in any order, everything else as strict as the CBOR reader. Says nothing about whether any of it is
 * genuine. Throws the NITRO_ code of the first field that is wrong, errors of the envelopes (ATTEST_..., CMW_..., CODEC_...,
 * COSE_...) and of the certificates (CODEC_..., X509_...).
 */
export function parse(evidence: Cmw, means: VerificationMeans = {}): ParsedDocument {
  const { kind, document: bytes } = decodeNitroEvidence(evidence);
  const checks: Checklist = new Checklist([]);
  checks.require('NITRO_DOCUMENT_SIZE', bytes.length <= MAX_DOCUMENT_BYTES, {
    expected: `at most ${MAX_DOCUMENT_BYTES} bytes`,
    actual: `${bytes.length}`,
  });
  const message = decodeSign1(bytes, { limits: { ...limits, maxBytes: MAX_DOCUMENT_BYTES } });
  const payload = readMessage(message, checks);
  const map = decodeCbor(payload, { keyOrder: 'any', openMaps: 'accepted', limits });
  checks.require('NITRO_PAYLOAD_TYPE', map instanceof Map, {
    expected: 'a CBOR map',
    actual: map instanceof Map ? 'a CBOR map' : 'another type',
  });
  const document = readDocument(map, kind, checks);
  return new ParsedDocument(
    {
      kind,
      document,
      leaf: readCertificate(document.certificate, means),
      authorities: Object.freeze(document.cabundle.map((der) => readCertificate(der, means))),
      checks: checks.results().checks,
    },
    message,
  );
}

function readMessage(message: Sign1, checks: Checklist): Uint8Array {
  const { algorithm, protectedHeader, unprotected, payload } = message;
  checks.require('NITRO_ALGORITHM', algorithm === ES384, { expected: `${ES384} (ES384)`, actual: `${algorithm}` });
  checks.require('NITRO_HEADER', protectedHeader.size === 1 && unprotected.size === 0, {
    expected: 'the algorithm, protected, and nothing else',
    actual: `${protectedHeader.size} protected, ${unprotected.size} unprotected`,
  });
  checks.require('NITRO_PAYLOAD_MISSING', payload !== null && payload.length > 0, {
    expected: `1 to ${MAX_PAYLOAD_BYTES} bytes`,
    actual: payload === null ? 'a detached payload' : `${payload.length} bytes`,
  });
  return payload;
}
