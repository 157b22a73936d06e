import { fromBase64 } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { canonicaliseXml, type XmlElement } from '@fastness/codec/xml';
import { failed } from '../../../checks.ts';
import { readCertificate, type VerificationMeans } from '../../../means.ts';
import { DIGEST_BYTES, MAX_CERTIFICATE_BYTES, SIGNATURE_BYTES } from '../layout.ts';
import type { RimSignature } from './document.ts';

const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
const C14N_11 = 'http://www.w3.org/2006/12/xml-c14n11';
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';
const ECDSA_SHA384 = 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384';
const SHA384 = 'http://www.w3.org/2001/04/xmldsig-more#sha384';
const MAX_CERTIFICATES = 8;

/** Elements inside an element; white space between them says nothing, other text is refused. */
export function elementsOf(
  element: XmlElement,
  code: 'NVIDIA_RIM_SIGNATURE_FORM' | 'NVIDIA_RIM_STRUCTURE' = 'NVIDIA_RIM_SIGNATURE_FORM',
): readonly XmlElement[] {
  const elements: XmlElement[] = [];
  for (const child of element.children) {
    if (typeof child !== 'string') elements.push(child);
    else if (/[^ \t\n]/.test(child)) throw failed(code, { expected: 'elements', actual: `text in ${element.name}` });
  }
  return elements;
}

/**
 * Reads the one form of signature that NVIDIA uses and nothing else: the last element of the root, over the whole document
 * (an empty URI) without itself, Canonical XML 1.1, ECDSA with SHA-384, certificates beside it. What is verified and what is
 * read later come from one tree, so a signature cannot cover something else than what is used.
 * Throws NVIDIA_RIM_SIGNATURE_FORM and errors of the certificates.
 */
export function readEnvelopedSignature(root: XmlElement, means: VerificationMeans): RimSignature {
  const signature = root.children.findLast((child) => typeof child !== 'string');
  const stray = countSignatures(root);
  if (signature === undefined || !isNamed(signature, 'Signature') || stray !== 1) {
    throw form('one signature, the last element of the root', `${stray}`);
  }
  const [signedInfo, signatureValue, keyInfo] = inOrder(signature, ['SignedInfo', 'SignatureValue', 'KeyInfo']);
  const [canonicalisation, method, reference] = inOrder(signedInfo, [
    'CanonicalizationMethod',
    'SignatureMethod',
    'Reference',
  ]);
  requireAlgorithm(canonicalisation, C14N_11);
  requireAlgorithm(method, ECDSA_SHA384);
  const [uri] = reference.attributes;
  if (reference.attributes.length !== 1 || uri?.name !== 'URI' || uri.value !== '') {
    throw form('a reference to the whole document', reference.attributes.map(({ value }) => value).join(' '));
  }
  const [transforms, digestMethod, digestValue] = inOrder(reference, ['Transforms', 'DigestMethod', 'DigestValue']);
  const [enveloped, canonical] = inOrder(transforms, ['Transform', 'Transform']);
  requireAlgorithm(enveloped, ENVELOPED);
  requireAlgorithm(canonical, C14N_11);
  requireAlgorithm(digestMethod, SHA384);
  const [data] = inOrder(keyInfo, ['X509Data']);
  return {
    content: canonicaliseXml(root, { omit: signature }),
    digest: base64Of(digestValue, DIGEST_BYTES),
    signedInfo: canonicaliseXml(signedInfo),
    signature: base64Of(signatureValue, SIGNATURE_BYTES),
    certificates: readCertificates(data, means),
  };
}

function readCertificates(data: XmlElement, means: VerificationMeans): RimSignature['certificates'] {
  const elements = elementsOf(data);
  if (elements.length === 0 || elements.length > MAX_CERTIFICATES) {
    throw form(`1 to ${MAX_CERTIFICATES} certificates`, `${elements.length}`);
  }
  return elements.map((element) => {
    if (!isNamed(element, 'X509Certificate')) throw form('certificates', element.name);
    const der = base64Of(element);
    if (der.length > MAX_CERTIFICATE_BYTES) throw form(`at most ${MAX_CERTIFICATE_BYTES} bytes`, `${der.length}`);
    return readCertificate(der, means);
  });
}

/** The elements inside, which must have exactly these names. */
function inOrder<const Names extends readonly string[]>(
  element: XmlElement,
  names: Names,
): { readonly [Index in keyof Names]: XmlElement } {
  const elements = elementsOf(element);
  if (elements.length !== names.length || !elements.every((child, index) => isNamed(child, names[index] ?? ''))) {
    throw form(`${names.join(', ')} in ${element.name}`, elements.map(({ name }) => name).join(', ') || 'nothing');
  }
  // The lengths are equal, so every name has its element.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return elements as unknown as { readonly [Index in keyof Names]: XmlElement };
}

/** An element that names an algorithm and says no more. */
function requireAlgorithm(element: XmlElement, algorithm: string): void {
  const [attribute] = element.attributes;
  const plain = element.attributes.length === 1 && attribute?.name === 'Algorithm' && element.children.length === 0;
  if (!plain || attribute.value !== algorithm) throw form(algorithm, attribute?.value ?? 'no algorithm');
}

function base64Of(element: XmlElement, length?: number): Uint8Array {
  const [text, ...rest] = element.children;
  if (typeof text !== 'string' || rest.length > 0) throw form(`base64 in ${element.name}`, 'something else');
  try {
    const bytes = fromBase64(text.replaceAll(/[ \t\n]/g, ''));
    if (length !== undefined && bytes.length !== length) throw form(`${length} bytes`, `${bytes.length}`);
    return bytes;
  } catch (error) {
    if (!(error instanceof FastnessError) || error.code === 'NVIDIA_RIM_SIGNATURE_FORM') throw error;
    throw form(`base64 in ${element.name}`, 'something else');
  }
}

function countSignatures(element: XmlElement): number {
  const inside = element.children.map((child) => (typeof child === 'string' ? 0 : countSignatures(child)));
  return inside.reduce((sum, count) => sum + count, isNamed(element, 'Signature') ? 1 : 0);
}

function isNamed(element: XmlElement, local: string): boolean {
  return element.local === local && element.namespace === DSIG;
}

function form(expected: string, actual: string): FastnessError {
  return failed('NVIDIA_RIM_SIGNATURE_FORM', { expected, actual: actual.slice(0, 200) });
}
