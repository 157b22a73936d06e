import { FastnessError } from '../errors/index.ts';
import { derTags } from './tags.ts';

const ZERO = 0x30;
const Z = 0x5a;

/**
 * A UTCTime or GeneralizedTime as RFC 5280 (section 4.1.2.5) profiles them: UTC, seconds, no fractions.
 * Leap seconds and days that the calendar lacks are refused.
 */
export function decodeTime(element: { readonly tag: number; readonly content: Uint8Array }): Date {
  const short = element.tag === derTags.utcTime;
  if (!short && element.tag !== derTags.generalizedTime) {
    throw new FastnessError('CODEC_MALFORMED', `A time expected, DER tag ${element.tag} found.`);
  }
  const { content } = element;
  if (content.length > 15) throw new FastnessError('CODEC_NOT_CANONICAL', 'A time with fractions or an offset.');
  const digits = short ? 12 : 14;
  if (content.length !== digits + 1 || content[digits] !== Z) throw outsideProfile();
  const pair = (place: number): number => 10 * digitAt(content, place) + digitAt(content, place + 1);
  const start = digits - 10;
  const written = pair(start - 2);
  const year = short ? written + (written < 50 ? 2000 : 1900) : pair(0) * 100 + written;
  const [month, day, hour] = [pair(start), pair(start + 2), pair(start + 4)];
  const [minute, second] = [pair(start + 6), pair(start + 8)];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const same =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!same) throw new FastnessError('CODEC_MALFORMED', 'A time that the calendar lacks.');
  return date;
}

function digitAt(content: Uint8Array, place: number): number {
  const digit = (content[place] ?? 0) - ZERO;
  if (digit < 0 || digit > 9) throw outsideProfile();
  return digit;
}

function outsideProfile(): FastnessError {
  return new FastnessError('CODEC_NOT_CANONICAL', 'A time outside the profile of RFC 5280.');
}
