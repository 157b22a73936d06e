import { DerReader, readDerSequence } from '../der/reader.ts';
import { derTags } from '../der/tags.ts';
import { FastnessError } from '../errors/index.ts';
import type { BasicConstraints, Certificate, Extension, KeyUsage } from './types.ts';

/** Object identifiers of the extensions that this reader interprets. */
export const extensionOids = Object.freeze({
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  reasonCode: '2.5.29.21',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyIdentifier: '2.5.29.35',
} as const);

/** In bit order (RFC 5280, section 4.2.1.3). */
export const keyUsageNames: readonly KeyUsage[] = Object.freeze([
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
]);

const MAX_EXTENSIONS = 64;

/** Reads the Extensions inside their explicit tag. @throws X509_DUPLICATE_EXTENSION, CODEC_* */
export function readExtensions(tagged: DerReader): Map<string, Extension> {
  const list = tagged.sequence();
  tagged.end();
  return readExtensionList(list);
}

/** Reads extensions until the list ends. An empty list is refused, as RFC 5280 does. */
export function readExtensionList(list: DerReader): Map<string, Extension> {
  const extensions = new Map<string, Extension>();
  do {
    const fields = list.sequence();
    const oid = fields.oid();
    const critical = readDefaultFalse(fields);
    const value = fields.octetString();
    fields.end();
    if (extensions.has(oid)) throw new FastnessError('X509_DUPLICATE_EXTENSION', `Extension ${oid}.`);
    if (extensions.size >= MAX_EXTENSIONS) throw new FastnessError('CODEC_LIMIT', 'Too many extensions.');
    extensions.set(oid, { critical, value });
  } while (list.remaining > 0);
  return extensions;
}

/** @throws X509_EXTENSION when a path length is given to something that is no authority. */
export function readBasicConstraints(value: Uint8Array): BasicConstraints {
  return readDerSequence(value, (fields) => {
    const ca = readDefaultFalse(fields);
    if (fields.remaining === 0) return { ca };
    if (!ca) throw new FastnessError('X509_EXTENSION', 'A path length without an authority.');
    return { ca, pathLength: fields.smallInteger() };
  });
}

/** AMD's intermediates write one zero bit too many, so those are read. @throws X509_EXTENSION for no or unknown bits */
export function readKeyUsage(value: Uint8Array): Set<KeyUsage> {
  const reader = new DerReader(value);
  const flags = reader.namedBits({ trailingZeros: 'ignore' });
  reader.end();
  if (flags.length === 0 || flags.length > keyUsageNames.length)
    throw new FastnessError('X509_EXTENSION', 'Key usage.');
  return new Set(keyUsageNames.filter((_, index) => flags[index] === true));
}

/** BOOLEAN DEFAULT FALSE: DER leaves the default out. */
function readDefaultFalse(fields: DerReader): boolean {
  if (fields.peek() !== derTags.boolean) return false;
  if (!fields.boolean()) throw new FastnessError('CODEC_NOT_CANONICAL', 'A written-out FALSE.');
  return true;
}

/**
 * Refuses critical extensions that nobody has interpreted (RFC 5280, section 4.2). Basic constraints and key usage
 * count as understood; name the object identifiers of any others that the caller itself reads.
 * @throws X509_CRITICAL_EXTENSION
 */
export function checkCriticalExtensions(certificate: Certificate, understood: readonly string[] = []): void {
  for (const [oid, { critical }] of certificate.extensions) {
    const known = oid === extensionOids.basicConstraints || oid === extensionOids.keyUsage || understood.includes(oid);
    if (critical && !known) throw new FastnessError('X509_CRITICAL_EXTENSION', `Extension ${oid}.`);
  }
}
