import { decodePem, toHex, utf8Decode, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/**
 * The certificate table that a host attaches to an extended report: GHCB specification (AMD 56421), SNP Extended Guest
 * Request. Entries of 24 bytes - GUID, offset, length, little-endian - end with an entry of zeros; the data follows. The
 * host writes the table, so nothing in it is trusted; it only carries certificates to where they are verified.
 */

/** What a GUID of the table stands for. An intermediate is an ASK or an ASVK; one GUID serves both. */
type CertTableKind = 'vcek' | 'vlek' | 'intermediate' | 'ark' | 'crl';

const kinds: ReadonlyMap<string, CertTableKind> = new Map([
  ['63da758de6644564adc5f4b93be8accd', 'vcek'],
  ['a8074bc2a25a483eaae639c045a0b8a1', 'vlek'],
  ['4ab7b379bbac4fe4a02f05aef327c782', 'intermediate'],
  ['c0b406a4a803495297433fb6014cd0ae', 'ark'],
  ['92f81bc358114d3d97ffd19f88dc67ea', 'crl'],
]);

export interface CertTable {
  /** Certificates, DER. */
  readonly certificates: readonly Uint8Array[];
  /** Revocation lists, DER. */
  readonly crls: readonly Uint8Array[];
  /** GUIDs of entries with another purpose, 32 hex digits each; hosts may add their own. */
  readonly unknown: readonly string[];
}

const ENTRY_BYTES = 24;
const MAX_ENTRIES = 32;
const ZERO_GUID = '0'.repeat(32);
const PEM_START = utf8Encode('-----BEGIN ');

/** Reads a table. Entries in PEM are unwrapped. An empty table is a table. Throws SNP_CERT_TABLE_MALFORMED. */
export function parseCertTable(table: Uint8Array): CertTable {
  const certificates: Uint8Array[] = [];
  const crls: Uint8Array[] = [];
  const unknown: string[] = [];
  if (table.length === 0) return { certificates, crls, unknown };
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const entries = entryCount(table);
  for (let index = 0; index < entries; index += 1) {
    const start = index * ENTRY_BYTES;
    const guid = toHex(table.subarray(start, start + 16));
    const offset = view.getUint32(start + 16, true);
    const length = view.getUint32(start + 20, true);
    if (offset < (entries + 1) * ENTRY_BYTES || offset + length > table.length)
      throw malformed(`entry ${index} points outside the data`);
    const kind = kinds.get(guid);
    const data = table.subarray(offset, offset + length);
    if (kind === undefined) unknown.push(guid);
    else if (kind === 'crl') crls.push(...unwrap(data, 'X509 CRL'));
    else certificates.push(...unwrap(data, 'CERTIFICATE'));
  }
  return { certificates, crls, unknown };
}

function entryCount(table: Uint8Array): number {
  for (let index = 0; index <= MAX_ENTRIES; index += 1) {
    const start = index * ENTRY_BYTES;
    if (start + ENTRY_BYTES > table.length) throw malformed('the closing entry is missing');
    if (toHex(table.subarray(start, start + 16)) === ZERO_GUID) return index;
  }
  throw malformed(`more than ${MAX_ENTRIES} entries`);
}

function unwrap(data: Uint8Array, label: string): Uint8Array[] {
  if (data.length === 0) throw malformed('an entry is empty');
  const pem = PEM_START.every((byte, index) => data[index] === byte);
  if (!pem) return [data];
  try {
    return decodePem(utf8Decode(data), label);
  } catch (cause) {
    throw new FastnessError('SNP_CERT_TABLE_MALFORMED', 'an entry is not the PEM it begins as.', { cause });
  }
}

function malformed(why: string): FastnessError {
  return new FastnessError('SNP_CERT_TABLE_MALFORMED', `${why}.`);
}
