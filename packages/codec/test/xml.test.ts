import { describe, expect, it } from 'vitest';
import { utf8Decode, utf8Encode } from '../src/index.ts';
import { FastnessError } from '../src/errors/index.ts';
import { canonicaliseXml, parseXml, type XmlElement } from '../src/xml/index.ts';

const read = (text: string): XmlElement => parseXml(utf8Encode(text));
const canonical = (text: string): string => utf8Decode(canonicaliseXml(read(text)));
const codeOf = (attempt: () => unknown): string => {
  try {
    attempt();
    return 'read';
  } catch (error) {
    if (error instanceof FastnessError) return error.code;
    throw error;
  }
};
const child = (element: XmlElement, ...path: string[]): XmlElement => {
  const [local, ...rest] = path;
  if (local === undefined) return element;
  const found = element.children.find((each) => typeof each !== 'string' && each.local === local);
  if (found === undefined || typeof found === 'string') throw new TypeError(`No ${local}.`);
  return child(found, ...rest);
};

describe('the XML reader', () => {
  it('reads elements, attributes, text and namespaces', () => {
    const root = read(
      `<?xml version="1.0" encoding="UTF-8"?>\n<a xmlns="urn:one" xmlns:p="urn:two" x='1' p:y="2">t<p:b/>u<c xmlns="urn:three"/></a>\n`,
    );
    expect(root).toMatchObject({ name: 'a', local: 'a', namespace: 'urn:one' });
    expect(root.attributes).toEqual([
      { name: 'x', local: 'x', value: '1' },
      { name: 'p:y', local: 'y', namespace: 'urn:two', value: '2' },
    ]);
    expect(root.children.map((each) => (typeof each === 'string' ? each : each.name))).toEqual(['t', 'p:b', 'u', 'c']);
    expect(child(root, 'b').namespace).toBe('urn:two');
    expect(child(root, 'c').namespace).toBe('urn:three');
  });

  it('replaces the predefined entities and character references once', () => {
    expect(read('<a b="&quot;&#x26;amp;">&lt;&amp;lt;&#233;&#x1F512;</a>')).toMatchObject({
      attributes: [{ value: '"&amp;' }],
      children: ['<&lt;é🔒'],
    });
  });

  it('normalises ends of lines, and white space in attributes', () => {
    expect(read('<a b="1\t2\r\n3&#10;4">5\r\n6\r7</a>')).toMatchObject({
      attributes: [{ value: '1 2 3\n4' }],
      children: ['5\n6\n7'],
    });
  });

  it.each([
    ['CODEC_UNSUPPORTED', 'a document type', '<!DOCTYPE a><a/>'],
    ['CODEC_UNSUPPORTED', 'entities', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ['CODEC_UNSUPPORTED', 'an entity of its own', '<a>&b;</a>'],
    ['CODEC_UNSUPPORTED', 'a comment', '<a><!-- --></a>'],
    ['CODEC_UNSUPPORTED', 'a comment after the root', '<a/><!-- -->'],
    ['CODEC_UNSUPPORTED', 'an instruction', '<a><?b?></a>'],
    ['CODEC_UNSUPPORTED', 'a CDATA section', '<a><![CDATA[b]]></a>'],
    ['CODEC_UNSUPPORTED', 'another encoding', '<?xml version="1.0" encoding="latin1"?><a/>'],
    ['CODEC_UNSUPPORTED', 'version 1.1', '<?xml version="1.1"?><a/>'],
    ['CODEC_UNSUPPORTED', 'a byte order mark', '\ufeff<a/>'],
    ['CODEC_UNSUPPORTED', 'an attribute of the xml prefix', '<a xml:lang="en"/>'],
    ['CODEC_UNSUPPORTED', 'an element of the xml prefix', '<xml:a/>'],
    ['CODEC_UNSUPPORTED', 'the xml prefix declared anew', '<a xmlns:xml="urn:b"/>'],
    ['CODEC_UNSUPPORTED', 'a prefix for the xml namespace', '<a xmlns:b="http://www.w3.org/XML/1998/namespace"/>'],
    ['CODEC_UNSUPPORTED', 'a default namespace taken back', '<a xmlns="urn:b"><c xmlns=""/></a>'],
    ['CODEC_UNSUPPORTED', 'a relative namespace', '<a xmlns="b"/>'],
    ['CODEC_MALFORMED', 'an undeclared prefix', '<b:a/>'],
    ['CODEC_MALFORMED', 'an undeclared prefix of an attribute', '<a b:c="1"/>'],
    ['CODEC_MALFORMED', 'an attribute twice', '<a b="1" b="2"/>'],
    ['CODEC_MALFORMED', 'a namespace twice', '<a xmlns:b="urn:1" xmlns:b="urn:2"/>'],
    ['CODEC_MALFORMED', 'one attribute under two prefixes', '<a xmlns:b="urn:1" xmlns:c="urn:1" b:d="1" c:d="2"/>'],
    ['CODEC_MALFORMED', 'one identifier twice', '<a Id="1"><b id="1"/></a>'],
    ['CODEC_MALFORMED', 'two roots', '<a/><b/>'],
    ['CODEC_MALFORMED', 'text after the root', '<a/>b'],
    ['CODEC_MALFORMED', 'text before the root', 'b<a/>'],
    ['CODEC_MALFORMED', 'tags that cross', '<a><b></a></b>'],
    ['CODEC_MALFORMED', 'a longer end tag', '<a></ab>'],
    ['CODEC_MALFORMED', 'a name with a sign', '<a!/>'],
    ['CODEC_MALFORMED', 'a name that begins with a number', '<1a/>'],
    ['CODEC_MALFORMED', 'a name with two colons', '<a xmlns:b="urn:b"><b:c:d/></a>'],
    ['CODEC_MALFORMED', 'an attribute without quotes', '<a b=1/>'],
    ['CODEC_MALFORMED', 'attributes without space', '<a b="1"c="2"/>'],
    ['CODEC_MALFORMED', 'a tag in an attribute', '<a b="<"/>'],
    ['CODEC_MALFORMED', 'the end of a CDATA section', '<a>]]></a>'],
    ['CODEC_MALFORMED', 'a reference without its end', '<a>&amp</a>'],
    ['CODEC_MALFORMED', 'a reference to no character', '<a>&#0;</a>'],
    ['CODEC_MALFORMED', 'a reference to half a character', '<a>&#xD800;</a>'],
    ['CODEC_MALFORMED', 'a character that XML does not have', '<a>\u0001</a>'],
    ['CODEC_MALFORMED', 'nothing', ''],
    ['CODEC_TRUNCATED', 'no end tag', '<a><b/>'],
  ])('refuses %s: %s', (code, _, text) => {
    expect(codeOf(() => read(text))).toBe(code);
  });

  it('refuses what is not UTF-8', () => {
    expect(codeOf(() => parseXml(Uint8Array.of(0x3c, 0x61, 0xff, 0x2f, 0x3e)))).toBe('CODEC_MALFORMED');
  });

  it('stays inside its limits', () => {
    const nested = (depth: number) => `${'<a>'.repeat(depth)}${'</a>'.repeat(depth)}`;
    expect(codeOf(() => read(nested(32)))).toBe('read');
    expect(codeOf(() => read(nested(33)))).toBe('CODEC_LIMIT');
    expect(codeOf(() => read(nested(50_000)))).toBe('CODEC_LIMIT');
    expect(codeOf(() => parseXml(utf8Encode('<a/>'), { maxBytes: 3 }))).toBe('CODEC_LIMIT');
    expect(codeOf(() => parseXml(utf8Encode('<a><b c="1"/></a>'), { maxNodes: 2 }))).toBe('CODEC_LIMIT');
    const attributes = Array.from({ length: 300 }, (_, index) => `a${index}="1"`).join(' ');
    expect(codeOf(() => read(`<a ${attributes}/>`))).toBe('CODEC_LIMIT');
    const namespaces = Array.from({ length: 65 }, (_, index) => `xmlns:a${index}="urn:a"`).join(' ');
    expect(codeOf(() => read(`<a ${namespaces}/>`))).toBe('CODEC_LIMIT');
  });
});

describe('canonical XML 1.1', () => {
  // The examples of the specification (section 3), without what the reader refuses.
  it.each([
    [
      'start and end tags (3.3)',
      `<doc>
   <e1   />
   <e2   ></e2>
   <e3   name = "elem3"   id="elem3"   />
   <e5 a:attr="out" b:attr="sorted" attr2="all" attr="I'm"
      xmlns:b="http://www.ietf.org"
      xmlns:a="http://www.w3.org"
      xmlns="http://example.org"/>
</doc>`,
      `<doc>
   <e1></e1>
   <e2></e2>
   <e3 id="elem3" name="elem3"></e3>
   <e5 xmlns="http://example.org" xmlns:a="http://www.w3.org" xmlns:b="http://www.ietf.org" attr="I'm" attr2="all" b:attr="sorted" a:attr="out"></e5>
</doc>`,
    ],
    [
      'character modifications and references (3.4)',
      `<doc>
   <text>First line&#x0d;&#10;Second line</text>
   <value>&#x32;</value>
   <compute expr='value>"0" &amp;&amp; value&lt;"10" ?"valid":"error"'>valid</compute>
   <norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/>
</doc>`,
      `<doc>
   <text>First line&#xD;
Second line</text>
   <value>2</value>
   <compute expr="value>&quot;0&quot; &amp;&amp; value&lt;&quot;10&quot; ?&quot;valid&quot;:&quot;error&quot;">valid</compute>
   <norm attr=" '    &#xD;&#xA;&#x9;   ' "></norm>
</doc>`,
    ],
    [
      'namespaces that say nothing new',
      '<a xmlns:p="urn:1"><p:b xmlns:p="urn:1"/></a>',
      '<a xmlns:p="urn:1"><p:b></p:b></a>',
    ],
    ['namespaces that are not used', '<a xmlns:q="urn:2" xmlns:p="urn:1"/>', '<a xmlns:p="urn:1" xmlns:q="urn:2"></a>'],
    [
      'a prefix that changes',
      '<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"/></p:a>',
      '<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"></p:b></p:a>',
    ],
    ['text', '<a>&gt;&lt;&amp;"\'</a>', `<a>&gt;&lt;&amp;"'</a>`],
    ['white space around the root', ' \n<a/>\n', '<a></a>'],
  ])('writes %s', (_, text, expected) => {
    expect(canonical(text)).toBe(expected);
    expect(canonical(expected)).toBe(expected);
  });

  it('gives an element of a document every namespace in scope', () => {
    const root = read('<a xmlns="urn:1" xmlns:q="urn:2" xmlns:p="urn:3"><b><p:c p:d="1"/></b></a>');
    expect(utf8Decode(canonicaliseXml(child(root, 'b', 'c')))).toBe(
      '<p:c xmlns="urn:1" xmlns:p="urn:3" xmlns:q="urn:2" p:d="1"></p:c>',
    );
  });

  it('leaves one element out, and the white space around it in', () => {
    const root = read('<a>1<b>2</b>\n<c/></a>');
    expect(utf8Decode(canonicaliseXml(root, { omit: child(root, 'b') }))).toBe('<a>1\n<c></c></a>');
  });
});
