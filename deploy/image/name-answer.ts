const HEADER = 12;
const TYPE_A = 1;
/** An answer, recursion available; a pointer to the question's name, type A, class IN, 60 seconds, 4 bytes follow. */
const FLAGS = 0x8180;
const RECORD = 'c00c000100010000003c0004';

/** The answer of a name server that knows one address for every name, to a query of one question (RFC 1035, section 4). */
export function answerName(query: Uint8Array, address: string): Uint8Array {
  const bytes = Buffer.from(query);
  const end = bytes.indexOf(0, HEADER) + 5;
  const known = bytes.readUInt16BE(end - 4) === TYPE_A;
  const record = known ? [...Buffer.from(RECORD, 'hex'), ...address.split('.').map(Number)] : [];
  const answer = Buffer.from([...bytes.subarray(0, end), ...record]);
  answer.writeUInt16BE(FLAGS, 2);
  for (const [at, count] of [1, known ? 1 : 0, 0, 0].entries()) answer.writeUInt16BE(count, 4 + at * 2);
  return answer;
}
