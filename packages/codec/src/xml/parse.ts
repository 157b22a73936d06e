import { utf8Decode } from '../bytes/utf8.ts';
import { FastnessError } from '../errors/index.ts';
import { readStartTag } from './start-tag.ts';
import { XmlScanner } from './scanner.ts';
import { normaliseDocument, resolveReferences } from './text.ts';
import type { XmlElement } from './types.ts';

export interface XmlLimits {
  readonly maxBytes?: number;
  readonly maxDepth?: number;
  /** Elements and attributes together. */
  readonly maxNodes?: number;
}

const DECLARATION =
  /^<\?xml version=(["'])1\.0\1(?: encoding=(["'])(?:UTF|utf)-8\2)?(?: standalone=(["'])(?:yes|no)\3)? ?\?>/;

/**
 * Reads a document of XML 1.0 with namespaces and returns its root. The subset: UTF-8 without a byte order mark, ASCII names,
 * elements, attributes, text, the predefined entities and character references. Refused, because signed documents need none
 * of it and each has been used to make two readers see two documents: document types and entities, processing
 * instructions, comments, CDATA sections, attributes of the xml prefix, default namespaces that are taken back, and two
 * attributes of one identifier. Nothing is fetched.
 * @throws CODEC_LIMIT, CODEC_MALFORMED, CODEC_UNSUPPORTED, CODEC_TRUNCATED
 */
export function parseXml(bytes: Uint8Array, limits: XmlLimits = {}): XmlElement {
  const { maxBytes = 1 << 20, maxDepth = 32, maxNodes = 20_000 } = limits;
  if (bytes.length > maxBytes) throw new FastnessError('CODEC_LIMIT', `XML of ${bytes.length} bytes.`);
  const text = normaliseDocument(utf8Decode(bytes));
  if (text.startsWith('\ufeff')) throw new FastnessError('CODEC_UNSUPPORTED', 'XML with a byte order mark.');
  const scanner = new XmlScanner(text.replace(DECLARATION, ''));
  scanner.space();
  const ids = new Set<string>();
  let nodes = 0;

  const readElement = (scope: ReadonlyMap<string, string>, depth: number): XmlElement => {
    if (depth > maxDepth) throw new FastnessError('CODEC_LIMIT', `XML nested deeper than ${maxDepth} levels.`);
    const { element, empty } = readStartTag(scanner, scope, ids);
    nodes += 1 + element.attributes.length;
    if (nodes > maxNodes) throw new FastnessError('CODEC_LIMIT', `XML of more than ${maxNodes} nodes.`);
    if (empty) return element;
    const children: (XmlElement | string)[] = [];
    for (;;) {
      const run = scanner.until('<');
      if (run.includes(']]>')) throw scanner.malformed('the end of a CDATA section in text');
      if (run.length > 0) children.push(resolveReferences(run));
      if (scanner.atEnd) throw new FastnessError('CODEC_TRUNCATED', `XML ends inside ${element.name}.`);
      if (scanner.accept('</')) break;
      refuseMarkup(scanner);
      children.push(readElement(element.scope, depth + 1));
    }
    scanner.expect(element.name);
    scanner.space();
    scanner.expect('>');
    return { ...element, children };
  };

  refuseMarkup(scanner);
  const root = readElement(new Map(), 1);
  scanner.space();
  if (!scanner.atEnd) {
    refuseMarkup(scanner);
    throw scanner.malformed('nothing may follow the root');
  }
  return root;
}

function refuseMarkup(scanner: XmlScanner): void {
  if (scanner.startsWith('<!') || scanner.startsWith('<?')) {
    throw new FastnessError('CODEC_UNSUPPORTED', 'XML with a document type, a comment, CDATA or an instruction.');
  }
}
