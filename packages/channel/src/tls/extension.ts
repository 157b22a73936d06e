import {
  CMW_ENDORSEMENTS,
  cmwCollectionFromCbor,
  cmwCollectionFromJson,
  cmwCollectionToCbor,
  cmwFromCbor,
  cmwFromJson,
  EVIDENCE_COLLECTION_TYPE,
  isCmwCollection,
  type Cmw,
  type CmwCollection,
} from '@fastness/attest';
import { utf8Decode } from '@fastness/codec/bytes';
import { der, DerReader, derTags } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';

/** `id-pe-cmw` (RFC 9999, Transporting CMW in X.509 Messages): a conceptual message in a certificate. */
export const CMW_EXTENSION_OID = '1.3.6.1.5.5.7.1.35';

/** Type of the collection in a certificate: labels of evidence, and `endorsement0`, `endorsement1`, ... */
export const TLS_COLLECTION_TYPE = 'tag:fastness.dev,2026:tls-certificate#1';

/** What a TEE says, and what a verifier needs to check it. */
export interface TlsEvidence {
  readonly evidence: Cmw | CmwCollection;
  readonly endorsements: readonly Cmw[];
}

const CPU_LABEL = 'cpu0';
const endorsementLabel = /^endorsement(?:0|[1-9][0-9]?)$/;
const MAX_ENDORSEMENTS = 16;

/** The content of extnValue: `CMW ::= CHOICE { json UTF8String, cbor OCTET STRING }`, as `cbor` with one collection. */
export function encodeEvidenceExtension({ evidence, endorsements }: TlsEvidence): Uint8Array<ArrayBuffer> {
  const own: readonly (readonly [string, Cmw])[] = isCmwCollection(evidence)
    ? [...evidence.records]
    : [[CPU_LABEL, evidence]];
  const others = endorsements.map(
    (each, index) => [`endorsement${index}`, { ...each, ind: CMW_ENDORSEMENTS }] as const,
  );
  return der.octetString(cmwCollectionToCbor({ type: TLS_COLLECTION_TYPE, records: new Map([...own, ...others]) }));
}

/**
 * Reads the content of extnValue. Of the RFC's forms: one record, which is evidence; or a collection, whose labels tell
 * evidence from endorsements. Both in JSON or CBOR, no tags, no tunnels. Nothing is verified here.
 * @throws FastnessError `CHANNEL_TLS_EVIDENCE_MALFORMED`
 */
export function decodeEvidenceExtension(value: Uint8Array): TlsEvidence {
  try {
    return splitOf(readCmw(value));
  } catch (cause) {
    if (cause instanceof FastnessError && cause.code === 'CHANNEL_TLS_EVIDENCE_MALFORMED') throw cause;
    const detail = cause instanceof FastnessError ? `${cause.code}.` : undefined;
    throw new FastnessError('CHANNEL_TLS_EVIDENCE_MALFORMED', detail, { cause });
  }
}

function readCmw(value: Uint8Array): Cmw | CmwCollection {
  const reader = new DerReader(value);
  const tag = reader.peek();
  if (tag === derTags.utf8String) {
    const text = utf8Decode(reader.expect(derTags.utf8String).content);
    reader.end();
    const json: unknown = JSON.parse(text);
    return Array.isArray(json) ? cmwFromJson(json) : cmwCollectionFromJson(json);
  }
  const cbor = reader.octetString();
  reader.end();
  // CBOR major type 4 is a list: a record. RFC 9999 tells the forms apart by the first byte.
  return (cbor[0] ?? 0) >> 5 === 4 ? cmwFromCbor(cbor) : cmwCollectionFromCbor(cbor);
}

function splitOf(message: Cmw | CmwCollection): TlsEvidence {
  if (!isCmwCollection(message)) return { evidence: message, endorsements: [] };
  const all = [...message.records];
  const endorsements = all.filter(([label]) => endorsementLabel.test(label)).map(([, record]) => record);
  const records = new Map(all.filter(([label]) => !endorsementLabel.test(label)));
  if (endorsements.length > MAX_ENDORSEMENTS)
    throw new FastnessError('CHANNEL_TLS_EVIDENCE_MALFORMED', `More than ${MAX_ENDORSEMENTS} endorsements.`);
  const [only] = records.values();
  if (only === undefined) throw new FastnessError('CHANNEL_TLS_EVIDENCE_MALFORMED', 'No evidence in the collection.');
  if (records.size === 1) return { evidence: only, endorsements };
  return { evidence: { type: EVIDENCE_COLLECTION_TYPE, records }, endorsements };
}
