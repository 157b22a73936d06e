import { utf8Encode } from '../bytes/utf8.ts';
import type { XmlAttribute, XmlElement } from './types.ts';

/**
 * Canonical XML 1.1 without comments (W3C, 2 May 2008) of an element and what is inside it, as a document of its own when it
 * is the root and as a document subset when it is not: then it is written with every namespace that is in scope there.
 * `omit` leaves one element out, wherever it stands: the transform of enveloped signatures.
 *
 * Of what the reader accepts, this is all of Canonical XML: it refuses comments, instructions, document types and attributes
 * of the xml prefix, so none has to be written or inherited.
 */
export function canonicaliseXml(element: XmlElement, options: { readonly omit?: XmlElement } = {}): Uint8Array {
  const parts: string[] = [];
  write(element, new Map(), options.omit, parts);
  return utf8Encode(parts.join(''));
}

/** `rendered`: the namespaces that the ancestors in the output declare. */
function write(
  element: XmlElement,
  rendered: ReadonlyMap<string, string>,
  omit: XmlElement | undefined,
  parts: string[],
): void {
  const { name, attributes, scope, children } = element;
  parts.push('<', name);
  if (scope !== rendered) {
    const fresh = [...scope].filter(([prefix, uri]) => rendered.get(prefix) !== uri);
    for (const [prefix, uri] of fresh.toSorted(([a], [b]) => order(a, b))) {
      parts.push(prefix === '' ? ' xmlns="' : ` xmlns:${prefix}="`, attributeText(uri), '"');
    }
  }
  for (const { name: attribute, value } of attributes.toSorted(byExpandedName)) {
    parts.push(' ', attribute, '="', attributeText(value), '"');
  }
  parts.push('>');
  for (const child of children) {
    if (typeof child === 'string') parts.push(elementText(child));
    else if (child !== omit) write(child, scope, omit, parts);
  }
  parts.push('</', name, '>');
}

/** Attributes in no namespace first, then by namespace and local name. */
function byExpandedName(a: XmlAttribute, b: XmlAttribute): number {
  return order(a.namespace ?? '', b.namespace ?? '') || order(a.local, b.local);
}

/** By character: names and namespaces are ASCII. */
function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
};

function elementText(text: string): string {
  return text.replaceAll(/[&<>\r]/g, (character) => escapes[character] ?? character);
}

function attributeText(text: string): string {
  return text.replaceAll(/[&<"\t\n\r]/g, (character) => escapes[character] ?? character);
}
