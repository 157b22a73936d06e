import { FastnessError } from '../errors/index.ts';

/** Content octets of an OBJECT IDENTIFIER given in dotted form. @throws CODEC_VALUE */
export function encodeOid(dotted: string): Uint8Array<ArrayBuffer> {
  if (!/^[0-2](\.(0|[1-9]\d{0,14}))+$/.test(dotted)) throw new FastnessError('CODEC_VALUE', 'Not a dotted OID.');
  const [root = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  if (root < 2 && second > 39) throw new FastnessError('CODEC_VALUE', 'The second arc of the OID is above 39.');
  const octets: number[] = [];
  for (const arc of [root * 40 + second, ...rest]) {
    const group = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) group.unshift((left % 128) | 0x80);
    octets.push(...group);
  }
  return Uint8Array.from(octets);
}
