import { FastnessError } from '../errors/index.ts';

const predefined: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['apos', "'"],
  ['quot', '"'],
]);

/** Replaces the five predefined entities and character references; there are no others without a document type. */
export function resolveReferences(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(/&([^;&]{0,12});?/g, (reference, name: string) => {
    if (!reference.endsWith(';')) throw malformed('a reference without its end');
    const known = predefined.get(name);
    if (known !== undefined) return known;
    const code = /^#(?:x(?<hex>[0-9A-Fa-f]{1,6})|(?<decimal>[0-9]{1,7}))$/.exec(name)?.groups;
    if (code === undefined) throw new FastnessError('CODEC_UNSUPPORTED', 'XML with entities of its own.');
    const point = code['hex'] === undefined ? Number(code['decimal']) : Number.parseInt(code['hex'], 16);
    if (!isCharacter(point)) throw malformed('a reference to no character');
    return String.fromCodePoint(point);
  });
}

/** Characters of XML 1.0, section 2.2. */
function isCharacter(point: number): boolean {
  if (point < 0x20) return point === 9 || point === 10 || point === 13;
  return point <= 0xd7ff || (point >= 0xe000 && point <= 0xfffd) || (point >= 0x10000 && point <= 0x10ffff);
}

/** Refuses characters that XML does not have; ends every line with a line feed (XML 1.0, section 2.11). */
export function normaliseDocument(text: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
    throw malformed('a character it does not have');
  return text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text;
}

function malformed(why: string): FastnessError {
  return new FastnessError('CODEC_MALFORMED', `XML with ${why}.`);
}
