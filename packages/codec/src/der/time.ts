import { FastnessError } from '../errors/index.ts';
import { derTags } from './tags.ts';

const UTC_TIME = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;

/**
 * A UTCTime or GeneralizedTime as RFC 5280 (section 4.1.2.5) profiles them: UTC, seconds, no fractions.
 * Leap seconds and days that the calendar lacks are refused.
 */
export function decodeTime(element: { readonly tag: number; readonly content: Uint8Array }): Date {
  const short = element.tag === derTags.utcTime;
  if (!short && element.tag !== derTags.generalizedTime) {
    throw new FastnessError('CODEC_MALFORMED', `A time expected, DER tag ${element.tag} found.`);
  }
  if (element.content.length > 15)
    throw new FastnessError('CODEC_NOT_CANONICAL', 'A time with fractions or an offset.');
  const text = String.fromCodePoint(...element.content);
  const match = (short ? UTC_TIME : GENERALIZED_TIME).exec(text);
  if (match === null) throw new FastnessError('CODEC_NOT_CANONICAL', 'A time outside the profile of RFC 5280.');
  const [written = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const year = short ? written + (written < 50 ? 2000 : 1900) : written;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const fields = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours()];
  const same = fields.every((field, index) => field === [year, month, day, hour][index]);
  if (!same || date.getUTCMinutes() !== minute || date.getUTCSeconds() !== second) {
    throw new FastnessError('CODEC_MALFORMED', 'A time that the calendar lacks.');
  }
  return date;
}
