import type { DerReader } from '../der/reader.ts';
import { decodeText } from '../der/text.ts';
import { FastnessError } from '../errors/index.ts';
import type { Name } from './types.ts';

const COMMON_NAME = '2.5.4.3';
const MAX_ATTRIBUTES = 32;

/**
 * Reads a Name. Only the common name is decoded (UTF8String, PrintableString or IA5String); the other attributes
 * are checked for structure and kept in `raw`.
 * @throws CODEC_MALFORMED for an empty set or two common names: a reader and a verifier could pick different ones.
 */
export function readName(fields: DerReader): Name {
  const element = fields.expect(0x30);
  const sets = fields.inside(element);
  let commonName: string | undefined;
  let attributes = 0;
  while (sets.remaining > 0) {
    const set = sets.set();
    do {
      const attribute = set.sequence();
      const oid = attribute.oid();
      const value = attribute.element();
      attribute.end();
      attributes += 1;
      if (attributes > MAX_ATTRIBUTES) throw new FastnessError('CODEC_LIMIT', 'A name of too many attributes.');
      if (oid === COMMON_NAME) {
        if (commonName !== undefined) throw new FastnessError('CODEC_MALFORMED', 'A name with two common names.');
        commonName = decodeText(value);
      }
    } while (set.remaining > 0);
  }
  return commonName === undefined ? { raw: element.raw } : { raw: element.raw, commonName };
}
