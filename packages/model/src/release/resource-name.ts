import { compareBytes, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

/** Longest resource name, characters. */
export const maxNameLength = 1024;

/**
 * Checks a path inside a model: relative, parts separated by one "/", none of them "." or "..", no control
 * characters and no half surrogates. "." alone stands for a model that is a single file.
 * Errors: OMS_RESOURCE_NAME.
 */
export function checkResourceName(name: string): void {
  const fault = name === '.' ? undefined : faultOf(name);
  if (fault !== undefined) throw new FastnessError('OMS_RESOURCE_NAME', fault);
}

function faultOf(name: string): string | undefined {
  if (name.length === 0 || name.length > maxNameLength) return `It has ${name.length} characters.`;
  if (!name.isWellFormed()) return 'It is not Unicode.';
  // oxlint-disable-next-line eslint/no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'It has control characters.';
  if (name.startsWith('/')) return 'It is absolute.';
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    return 'It has an empty part, "." or "..".';
  }
  return undefined;
}

/**
 * The order of OMS: by path components, not by the whole string, so "a/b" comes before "a-b". Components compare by
 * code point, which is the byte order of their UTF-8.
 */
export function compareResourcePaths(left: string, right: string): number {
  const leftParts = left.split('/');
  const rightParts = right.split('/');
  for (let index = 0; index < Math.min(leftParts.length, rightParts.length); index += 1) {
    const order = compareBytes(utf8Encode(leftParts[index] ?? ''), utf8Encode(rightParts[index] ?? ''));
    if (order !== 0) return order;
  }
  return leftParts.length - rightParts.length;
}
