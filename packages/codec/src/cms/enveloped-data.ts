import { FastnessError } from '../errors/index.ts';
import { decodeInteger, decodeOid } from '../der/primitives.ts';
import { malformed, octetsOf, readBer, type BerElement } from './ber.ts';

const oids = Object.freeze({
  data: '1.2.840.113549.1.7.1',
  envelopedData: '1.2.840.113549.1.7.3',
  rsaesOaep: '1.2.840.113549.1.1.7',
  mgf1: '1.2.840.113549.1.1.8',
  sha256: '2.16.840.1.101.3.4.2.1',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
});

const maxBytes = 65_536;

/** What is needed to open the message with the recipient's RSA key. */
export interface EnvelopedData {
  /** The subject key identifier of the recipient's key; undefined where issuer and serial number stand for it. */
  readonly subjectKeyIdentifier: Uint8Array | undefined;
  /** RSAES-OAEP with SHA-256, MGF1 with SHA-256 and the empty label; opens to the content's key. */
  readonly encryptedKey: Uint8Array;
  /** 16 bytes. */
  readonly iv: Uint8Array;
  /** AES-256-CBC with PKCS #7 padding: whole blocks, at least one. */
  readonly encryptedContent: Uint8Array;
}

/**
 * Reads a CMS EnvelopedData (RFC 5652 section 6) in the form in which AWS KMS sends `CiphertextForRecipient`: one
 * recipient by key transport with RSAES-OAEP and SHA-256 (RFC 4055, RFC 3560), content of type data under AES-256-CBC
 * (RFC 3565), in DER or in BER with indefinite lengths and split OCTET STRINGs. At most 64 KiB.
 *
 * Refused: other recipients and algorithms, originator information, unprotected attributes, anything left over.
 * Nothing is decrypted or checked here: the format has no authentication.
 * Errors: CMS_MALFORMED, CMS_UNSUPPORTED.
 */
export function parseEnvelopedData(message: Uint8Array): EnvelopedData {
  if (message.length > maxBytes) throw malformed(`It has ${message.length} bytes.`);
  const [type, wrapper] = exactly(childrenOf(readBer(message), 0x30), 2);
  requireOid(type, oids.envelopedData, 'It is no EnvelopedData.');
  const [enveloped] = exactly(childrenOf(wrapper, 0xa0), 1);
  const fields = childrenOf(enveloped, 0x30);
  if (fields[1]?.tag === 0xa0) throw unsupported('Originator information.');
  if (fields.length > 3) throw unsupported('Unprotected attributes.');
  const [version, recipients, content] = exactly(fields, 3);
  const { recipientVersion, ...recipient } = readRecipient(recipients);
  // RFC 5652 section 6.1: 0 where all recipients are of version 0, and 2 otherwise.
  if (integer(version) !== recipientVersion) throw malformed('Its version does not fit its recipient.');
  return { ...recipient, ...readContent(content) };
}

function readRecipient(recipients: BerElement | undefined) {
  const infos = childrenOf(recipients, 0x31);
  if (infos.length === 0) throw malformed('It has no recipient.');
  if (infos.length > 1) throw unsupported('More than one recipient.');
  if (infos[0]?.tag !== 0x30) throw unsupported('A recipient by other means than key transport.');
  const [version, identifier, algorithm, key] = exactly(childrenOf(infos[0], 0x30), 4);
  const recipientVersion = integer(version);
  let subjectKeyIdentifier: Uint8Array | undefined;
  if (identifier?.tag === 0x30) {
    if (identifier.children.length !== 2 || recipientVersion !== 0) throw malformed('The name of the recipient.');
  } else {
    subjectKeyIdentifier = identifier === undefined ? undefined : octetsOf(identifier, 0x80);
    if (recipientVersion !== 2 || (subjectKeyIdentifier?.length ?? 0) === 0) {
      throw malformed('The name of the recipient.');
    }
  }
  requireOaep(algorithm);
  const encryptedKey = key === undefined ? new Uint8Array(0) : octetsOf(key);
  // RSA of 2048 to 8192 bits.
  if (encryptedKey.length < 256 || encryptedKey.length > 1024) {
    throw malformed(`An encrypted key of ${encryptedKey.length} bytes.`);
  }
  return { recipientVersion, subjectKeyIdentifier, encryptedKey };
}

/** Both hashes must be there: left out they would mean SHA-1 (RFC 4055 section 4.1). */
function requireOaep(algorithm: BerElement | undefined): void {
  const [oid, parameters] = exactly(childrenOf(algorithm, 0x30), 2, 'The algorithm of the key has no parameters.');
  requireOid(oid, oids.rsaesOaep, 'The key is not encrypted with RSAES-OAEP.');
  const fields = childrenOf(parameters, 0x30);
  if (fields[0]?.tag !== 0xa0 || fields[1]?.tag !== 0xa1) throw unsupported('OAEP with SHA-1.');
  if (fields.length > 3) throw malformed('Parameters of OAEP.');
  const [hash] = exactly(childrenOf(fields[0], 0xa0), 1);
  requireSha256(hash);
  const [mask] = exactly(childrenOf(fields[1], 0xa1), 1);
  const [maskOid, maskHash] = exactly(childrenOf(mask, 0x30), 2);
  requireOid(maskOid, oids.mgf1, 'Another mask than MGF1.');
  requireSha256(maskHash);
  if (fields.length === 3) requireEmptyLabel(fields[2]);
}

function requireEmptyLabel(source: BerElement | undefined): void {
  const [specified] = exactly(childrenOf(source, 0xa2), 1);
  const [oid, label] = exactly(childrenOf(specified, 0x30), 2);
  requireOid(oid, '1.2.840.113549.1.1.9', 'Another source of the label.');
  if (label === undefined || octetsOf(label).length > 0) throw unsupported('A label.');
}

function requireSha256(algorithm: BerElement | undefined): void {
  const [oid, parameters, ...rest] = childrenOf(algorithm, 0x30);
  requireOid(oid, oids.sha256, 'Another hash than SHA-256.');
  const absent = parameters === undefined || (parameters.tag === 0x05 && parameters.content.length === 0);
  if (!absent || rest.length > 0) throw malformed('Parameters of SHA-256.');
}

function readContent(content: BerElement | undefined) {
  const [type, algorithm, encrypted] = exactly(childrenOf(content, 0x30), 3, 'The content is missing.');
  requireOid(type, oids.data, 'The content is not of type data.');
  const [oid, parameters] = exactly(childrenOf(algorithm, 0x30), 2, 'The algorithm of the content has no parameters.');
  requireOid(oid, oids.aes256Cbc, 'The content is not under AES-256-CBC.');
  const iv = parameters === undefined ? new Uint8Array(0) : octetsOf(parameters);
  if (iv.length !== 16) throw malformed(`An initial vector of ${iv.length} bytes.`);
  const encryptedContent = encrypted === undefined ? new Uint8Array(0) : octetsOf(encrypted, 0x80);
  if (encryptedContent.length === 0 || encryptedContent.length % 16 !== 0) {
    throw malformed(`Content of ${encryptedContent.length} bytes.`);
  }
  return { iv, encryptedContent };
}

function childrenOf(element: BerElement | undefined, tag: number): readonly BerElement[] {
  if (element?.tag !== tag) throw malformed('A part is missing, or another one stands in its place.');
  return element.children;
}

function exactly(
  children: readonly BerElement[],
  count: number,
  detail = 'A part is missing or left over.',
): readonly BerElement[] {
  if (children.length !== count) throw malformed(detail);
  return children;
}

function integer(element: BerElement | undefined): number {
  if (element?.tag !== 0x02 || element.content.length !== 1) throw malformed('A version.');
  return decodeInteger(element.content)[0] ?? 0;
}

function requireOid(element: BerElement | undefined, expected: string, detail: string): void {
  if (element?.tag !== 0x06) throw malformed('An OBJECT IDENTIFIER is missing.');
  if (element.content.length === 0 || element.content.length > 64 || (element.content.at(-1) ?? 0) >= 0x80) {
    throw malformed('An OBJECT IDENTIFIER.');
  }
  let dotted: string;
  try {
    dotted = decodeOid(element.content);
  } catch {
    throw malformed('An OBJECT IDENTIFIER.');
  }
  if (dotted !== expected) throw unsupported(detail);
}

function unsupported(detail: string): FastnessError {
  return new FastnessError('CMS_UNSUPPORTED', detail);
}
