import { parseXml, type XmlElement } from '@fastness/codec/xml';
import { failed } from '../../../checks.ts';
import { readOnce, type VerificationMeans } from '../../../means.ts';
import type { RimDocument } from './document.ts';
import { elementsOf, readEnvelopedSignature } from './xml-signature.ts';

const SWID = 'http://standards.iso.org/iso/19770/-2/2015/schema.xsd';
const SHA384 = 'http://www.w3.org/2001/04/xmlenc#sha384';
const LIMITS = Object.freeze({ maxBytes: 128 * 1024, maxDepth: 8, maxNodes: 16_384 });
const MAX_INDEX = 254;
const MAX_ALTERNATIVES = 64;

/**
 * Reads a reference document in the form that NVIDIA's RIM service serves: a SWID tag (ISO/IEC 19770-2) of the TCG Reference
 * Integrity Manifest model with measurements in its payload, signed. Nothing is authenticated.
 *
 * NVIDIA publishes SWID for GPUs and switches, and CoRIM for the firmware of its network adapters alone ("RIM Guide" of its
 * attestation suite; "Device Attestation and CoRIM-based Reference Measurement Sharing", version 4.0), so CoRIM is refused here.
 * Throws NVIDIA_RIM_FORMAT, NVIDIA_RIM_STRUCTURE, NVIDIA_RIM_SIGNATURE_FORM, CODEC and X509 errors.
 */
export function readRim(bytes: Uint8Array, means: VerificationMeans = {}): RimDocument {
  return readOnce('nvidia-rim', bytes, (copy) => parseRim(copy, means), means);
}

function parseRim(bytes: Uint8Array, means: VerificationMeans): RimDocument {
  const isXml = bytes[0] === 0x3c;
  if (!isXml) throw failed('NVIDIA_RIM_FORMAT', { expected: 'XML', actual: bytes.length === 0 ? 'nothing' : 'no XML' });
  const root = parseXml(bytes, LIMITS);
  if (!isNamed(root, 'SoftwareIdentity')) {
    throw failed('NVIDIA_RIM_FORMAT', { expected: 'SoftwareIdentity', actual: root.name });
  }
  const signed = readEnvelopedSignature(root, means);
  const [entity, meta, payload, signature, ...others] = contentOf(root);
  const ordered =
    entity !== undefined &&
    meta !== undefined &&
    payload !== undefined &&
    signature !== undefined &&
    isNamed(entity, 'Entity') &&
    isNamed(meta, 'Meta') &&
    isNamed(payload, 'Payload');
  if (!ordered || others.length > 0) throw structure('Entity, Meta, Payload and Signature', namesIn(root));
  for (const flag of ['corpus', 'patch', 'supplemental']) {
    if (attributeOf(root, flag) !== 'false') throw structure(`${flag}="false"`, attributeOf(root, flag));
  }
  const tagId = attributeOf(root, 'tagId');
  if (!/^[0-9a-f]{64,128}$/.test(tagId)) throw structure('a tag id in hex', tagId);
  return Object.freeze({
    tagId,
    edition: wordOf(meta, 'edition'),
    product: wordOf(meta, 'product'),
    version: wordOf(meta, 'colloquialVersion'),
    measurements: readMeasurements(payload),
    signed,
  });
}

function readMeasurements(payload: XmlElement): ReadonlyMap<number, readonly string[]> {
  const measurements = new Map<number, readonly string[]>();
  const seen = new Set<number>();
  for (const resource of contentOf(payload)) {
    const sound = isNamed(resource, 'Resource') && contentOf(resource).length === 0;
    if (!sound || attributeOf(resource, 'type') !== 'Measurement') throw structure('measurements', resource.name);
    const index = numberOf(resource, 'index', MAX_INDEX);
    if (seen.has(index)) throw structure('each index once', `${index} twice`);
    seen.add(index);
    const digests = readDigests(resource);
    const active = attributeOf(resource, 'active');
    if (active !== 'True' && active !== 'False') throw structure('True or False', active);
    if (active === 'True') measurements.set(index, digests);
  }
  return measurements;
}

/** Hash0, Hash1, ... as many as `alternatives` says. */
function readDigests(resource: XmlElement): readonly string[] {
  const alternatives = numberOf(resource, 'alternatives', MAX_ALTERNATIVES);
  const hashes = resource.attributes.filter(({ namespace }) => namespace === SHA384);
  const digests = Array.from({ length: alternatives }, (_, place) => {
    const digest = hashes.find(({ local }) => local === `Hash${place}`)?.value ?? '';
    if (!/^[0-9a-f]{96}$/.test(digest)) throw structure('SHA-384 digests in lower-case hex', digest);
    return digest;
  });
  if (hashes.length !== alternatives || alternatives === 0 || numberOf(resource, 'size', 48) !== 48) {
    throw structure(`${alternatives} digests of 48 bytes, at least one`, `${hashes.length}`);
  }
  return Object.freeze(digests);
}

function contentOf(element: XmlElement): readonly XmlElement[] {
  return elementsOf(element, 'NVIDIA_RIM_STRUCTURE');
}

function isNamed(element: XmlElement, local: string): boolean {
  return element.local === local && element.namespace === SWID;
}

/** The value of an attribute without a namespace; empty when it is not there. */
function attributeOf(element: XmlElement, local: string): string {
  const found = element.attributes.find((attribute) => attribute.namespace === undefined && attribute.local === local);
  return found?.value ?? '';
}

function wordOf(element: XmlElement, local: string): string {
  const word = attributeOf(element, local);
  if (!/^[0-9A-Za-z._-]{1,64}$/.test(word)) throw structure(`a word as ${local}`, word);
  return word;
}

function numberOf(element: XmlElement, local: string, most: number): number {
  const text = attributeOf(element, local);
  const number = /^(?:0|[1-9]\d{0,3})$/.test(text) ? Number(text) : Infinity;
  if (number > most) throw structure(`${local} of at most ${most}`, text);
  return number;
}

function namesIn(element: XmlElement): string {
  return contentOf(element)
    .slice(0, 8)
    .map(({ name }) => name)
    .join(', ');
}

function structure(expected: string, actual: string): Error {
  return failed('NVIDIA_RIM_STRUCTURE', { expected, actual: actual === '' ? 'nothing' : actual.slice(0, 200) });
}
