import { DerReader } from '../der/reader.ts';
import { derTags } from '../der/tags.ts';
import { plainView } from '../bytes/bytes.ts';
import { FastnessError } from '../errors/index.ts';
import { extensionOids, readExtensionList, readExtensions } from './extensions.ts';
import { readName } from './name.ts';
import { openSignedObject, readSerial } from './signed-object.ts';
import type { Crl, Extension, RevokedCertificate } from './types.ts';

const MAX_BYTES = 8 * 1024 * 1024;
const MAX_ENTRIES = 100_000;

/**
 * Reads one DER certificate revocation list (RFC 5280, section 5.1) and nothing after it. The subset: version 2, at
 * most 8 MiB and 100 000 entries, complete and direct lists. A critical extension narrows what a list covers (delta
 * and indirect lists, one distribution point), so any critical extension is refused here rather than left to the
 * caller. Nothing is verified here.
 * @throws CODEC_*, X509_VERSION, X509_SERIAL, X509_ALGORITHM, X509_ALGORITHM_MISMATCH, X509_DUPLICATE_EXTENSION,
 *   X509_CRITICAL_EXTENSION
 */
export function parseCrl(der: Uint8Array): Crl {
  const { tbs, fields, signature, signatureAlgorithm, checkInnerAlgorithm } = openSignedObject(der, MAX_BYTES);
  if (fields.peek() !== derTags.integer || fields.smallInteger() !== 1) throw new FastnessError('X509_VERSION');
  checkInnerAlgorithm();
  const issuer = readName(fields);
  const thisUpdate = fields.time();
  const next = fields.peek();
  const nextUpdate = next === derTags.utcTime || next === derTags.generalizedTime ? fields.time() : undefined;
  const revoked = fields.peek() === derTags.sequence ? readRevoked(fields.sequence()) : [];
  const tagged = fields.explicit(0);
  const extensions = tagged === undefined ? new Map<string, never>() : readExtensions(tagged);
  fields.end();
  refuseCritical(extensions);
  return {
    kind: 'crl',
    raw: plainView(der),
    tbs,
    issuer,
    thisUpdate,
    ...(nextUpdate === undefined ? {} : { nextUpdate }),
    revoked,
    extensions,
    signatureAlgorithm,
    signature,
  };
}

function readRevoked(list: DerReader): RevokedCertificate[] {
  const revoked: RevokedCertificate[] = [];
  while (list.remaining > 0) {
    if (revoked.length >= MAX_ENTRIES) throw new FastnessError('CODEC_LIMIT', `More than ${MAX_ENTRIES} entries.`);
    const entry = list.sequence();
    const serial = readSerial(entry);
    const date = entry.time();
    const extensions = entry.remaining > 0 ? readExtensionList(entry.sequence()) : new Map<string, never>();
    entry.end();
    refuseCritical(extensions);
    const reason = readReason(extensions.get(extensionOids.reasonCode));
    revoked.push(reason === undefined ? { serial, date } : { serial, date, reason });
  }
  return revoked;
}

function readReason(extension: Extension | undefined): number | undefined {
  if (extension === undefined) return undefined;
  const reader = new DerReader(extension.value);
  const { content } = reader.expect(derTags.enumerated);
  reader.end();
  if (content.length !== 1) throw new FastnessError('CODEC_MALFORMED', 'A revocation reason is one octet.');
  return content[0];
}

function refuseCritical(extensions: ReadonlyMap<string, Extension>): void {
  for (const [oid, { critical }] of extensions) {
    if (critical) throw new FastnessError('X509_CRITICAL_EXTENSION', `CRL extension ${oid}.`);
  }
}
