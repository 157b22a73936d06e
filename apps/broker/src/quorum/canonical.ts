import { createHash } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';

/**
 * The one text of a JSON value that people sign: members sorted by name in the order of their code units, no spaces,
 * whole numbers only. That is RFC 8785 for values without fractions, and fractions are refused.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new FastnessError('PROPOSAL_INVALID', 'It holds text that is not Unicode.');
    return JSON.stringify(value);
  }
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value))
      throw new FastnessError('PROPOSAL_INVALID', 'It holds a number that is not whole.');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object') throw new FastnessError('PROPOSAL_INVALID', 'It holds something that is not JSON.');
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${members.map(([name, member]) => `${canonicalJson(name)}:${canonicalJson(member)}`).join(',')}}`;
}

/** SHA-256 of a text in UTF-8, lower-case hex. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
