import { utf8Decode } from '../bytes/utf8.ts';
import { FastnessError } from '../errors/index.ts';
import { derTags } from './tags.ts';

/** Text of a UTF8String, PrintableString or IA5String element. Control characters are left to the caller. */
export function decodeText(element: { readonly tag: number; readonly content: Uint8Array }): string {
  switch (element.tag) {
    case derTags.utf8String:
      return utf8Decode(element.content);
    case derTags.printableString:
      return ascii(element.content, /^[A-Za-z0-9 '()+,\-./:=?]*$/);
    case derTags.ia5String:
      // The whole of ASCII, so only the byte check below applies.
      return ascii(element.content, /^/);
    default:
      throw new FastnessError('CODEC_UNSUPPORTED', `Text of DER type ${element.tag}.`);
  }
}

function ascii(content: Uint8Array, allowed: RegExp): string {
  let text = '';
  for (const byte of content) {
    if (byte > 0x7f) throw new FastnessError('CODEC_MALFORMED', 'A byte above 127 in ASCII text.');
    text += String.fromCodePoint(byte);
  }
  if (!allowed.test(text)) throw new FastnessError('CODEC_MALFORMED', 'A character outside the string type.');
  return text;
}
