import { FastnessError } from '../errors/index.ts';
import type { XmlScanner } from './scanner.ts';
import { resolveReferences } from './text.ts';
import type { XmlAttribute, XmlElement } from './types.ts';

const MAX_ATTRIBUTES = 256;
/** Namespaces in scope. Each element that declares one copies them, so many of them would cost time out of proportion. */
const MAX_SCOPE = 64;
const XML_NAMESPACES: ReadonlySet<string> = new Set([
  'http://www.w3.org/XML/1998/namespace',
  'http://www.w3.org/2000/xmlns/',
]);

interface RawName {
  readonly prefix: string;
  readonly local: string;
  readonly name: string;
}

interface RawAttribute extends RawName {
  readonly value: string;
}

/** Reads a start tag or an empty element, and resolves its names. `ids` collects identifiers of the whole document. */
export function readStartTag(
  scanner: XmlScanner,
  outer: ReadonlyMap<string, string>,
  ids: Set<string>,
): { readonly element: XmlElement; readonly empty: boolean } {
  scanner.expect('<');
  const tag = qualifiedName(scanner);
  const raw = readAttributes(scanner);
  const empty = scanner.accept('/>');
  if (!empty) scanner.expect('>');
  const scope = declared(raw, outer);
  const attributes = raw
    .filter((attribute) => !isDeclaration(attribute))
    .map((attribute) => resolved(attribute, scope));
  const expanded = attributes.map(({ namespace, local }) => JSON.stringify([namespace ?? '', local]));
  if (new Set(expanded).size < expanded.length) throw scanner.malformed('an attribute occurs twice');
  for (const { namespace, local, value } of attributes) {
    if (namespace !== undefined || local.toLowerCase() !== 'id') continue;
    if (ids.has(value)) throw scanner.malformed('two elements have one identifier');
    ids.add(value);
  }
  if (tag.prefix === 'xmlns') throw scanner.malformed('an element of the prefix xmlns');
  const namespace = tag.prefix === '' ? scope.get('') : namespaceOf(tag.prefix, scope);
  const { name, local } = tag;
  return {
    element: { name, local, ...(namespace === undefined ? {} : { namespace }), attributes, scope, children: [] },
    empty,
  };
}

function readAttributes(scanner: XmlScanner): RawAttribute[] {
  const attributes: RawAttribute[] = [];
  for (;;) {
    const spaced = scanner.space();
    if (scanner.startsWith('>') || scanner.startsWith('/')) break;
    if (!spaced) throw scanner.malformed('white space expected');
    if (attributes.length >= MAX_ATTRIBUTES) throw new FastnessError('CODEC_LIMIT', 'XML with too many attributes.');
    const name = qualifiedName(scanner);
    scanner.space();
    scanner.expect('=');
    scanner.space();
    const quote = scanner.startsWith("'") ? "'" : '"';
    scanner.expect(quote);
    const value = scanner.until(quote, '<');
    scanner.expect(quote);
    if (attributes.some((other) => other.name === name.name)) throw scanner.malformed('an attribute occurs twice');
    // Literal white space becomes spaces, references to it stay what they are (XML 1.0, section 3.3.3).
    attributes.push({ ...name, value: resolveReferences(value.replaceAll(/[\t\n]/g, ' ')) });
  }
  return attributes;
}

function qualifiedName(scanner: XmlScanner): RawName {
  const first = scanner.ncName();
  if (!scanner.accept(':')) return { prefix: '', local: first, name: first };
  const local = scanner.ncName();
  return { prefix: first, local, name: `${first}:${local}` };
}

function isDeclaration({ prefix, name }: RawName): boolean {
  return prefix === 'xmlns' || name === 'xmlns';
}

/** The namespaces in scope inside the element. */
function declared(
  attributes: readonly RawAttribute[],
  outer: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const own = attributes.filter((attribute) => isDeclaration(attribute));
  if (own.length === 0) return outer;
  const scope = new Map(outer);
  for (const { prefix, local, value } of own) {
    const name = prefix === '' ? '' : local;
    if (name === 'xml' || name === 'xmlns' || XML_NAMESPACES.has(value)) throw reserved();
    // Relative references have no canonical form; an empty one takes a namespace back.
    if (!/^[a-z][a-z0-9+.-]*:[\u0021-\u007e]+$/i.test(value)) {
      throw new FastnessError('CODEC_UNSUPPORTED', 'XML with a namespace that is no absolute URI.');
    }
    scope.set(name, value);
  }
  if (scope.size > MAX_SCOPE) throw new FastnessError('CODEC_LIMIT', `XML with more than ${MAX_SCOPE} namespaces.`);
  return scope;
}

function resolved({ prefix, local, name, value }: RawAttribute, scope: ReadonlyMap<string, string>): XmlAttribute {
  if (prefix === '') return { name, local, value };
  return { name, local, namespace: namespaceOf(prefix, scope), value };
}

function namespaceOf(prefix: string, scope: ReadonlyMap<string, string>): string {
  if (prefix === 'xml') throw reserved();
  const namespace = scope.get(prefix);
  if (namespace === undefined) throw new FastnessError('CODEC_MALFORMED', `XML prefix ${prefix} is not declared.`);
  return namespace;
}

function reserved(): FastnessError {
  return new FastnessError('CODEC_UNSUPPORTED', 'XML that uses the reserved prefixes.');
}
