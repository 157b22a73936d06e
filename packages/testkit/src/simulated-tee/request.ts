import { fromHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

/** Characters of a request line, line feed excluded. */
export const MAX_REQUEST = 512;

/**
 * Reads one request line, `{"op":"report","reportData":"<128 hex digits>"}`, and nothing besides.
 * @returns the 64 bytes of report data
 * @throws TESTKIT_REQUEST
 */
export function parseRequest(line: string): Uint8Array {
  const request = parseJson(line);
  if (typeof request !== 'object' || request === null) throw new FastnessError('TESTKIT_REQUEST', 'Not an object.');
  const members = new Map<string, unknown>(Object.entries(request));
  const reportData = members.get('reportData');
  if (members.size !== 2 || members.get('op') !== 'report') {
    throw new FastnessError('TESTKIT_REQUEST', 'Unknown operation.');
  }
  if (typeof reportData !== 'string' || !/^[0-9a-f]{128}$/.test(reportData)) {
    throw new FastnessError('TESTKIT_REQUEST', 'Report data is 64 bytes in lower-case hex.');
  }
  return fromHex(reportData);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new FastnessError('TESTKIT_REQUEST', 'Not JSON.', { cause });
  }
}
