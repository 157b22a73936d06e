// How values on the command line are read: what is wrong is said in the words of the option, before anything is done.
import { InvalidArgumentError } from 'commander';
import { parseDuration } from './format.ts';

/** A reader of whole decimal numbers within bounds; no sign, fraction or exponent. */
export function wholeNumber(from = 0, to = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^(?:0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= from && value <= to)) {
      const upTo = to === Number.MAX_SAFE_INTEGER ? '' : ` to ${to}`;
      throw new InvalidArgumentError(`Expected a whole number from ${from}${upTo}.`);
    }
    return value;
  };
}

/** A duration such as 90d, 12h, 30m or 45s, in milliseconds. */
export function duration(text: string): number {
  const value = parseDuration(text);
  if (value === undefined)
    throw new InvalidArgumentError('Expected a number and a unit, such as 90d, 12h, 30m or 45s.');
  return value;
}

/** For options that may be given several times. */
export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** Names separated by commas. */
export function names(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}
