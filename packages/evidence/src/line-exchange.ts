import { connect } from 'node:net';
import { utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

export interface LineExchangeOptions {
  readonly socketPath: string;
  /** Sent with a line feed behind it. */
  readonly line: string;
  /** For connecting, sending and the whole answer together. */
  readonly timeoutMs: number;
  /** Bytes accepted in the answer. */
  readonly maxBytes: number;
}

/**
 * Sends one line over a Unix socket and returns the one line that comes back, without its line feed.
 * @throws EVIDENCE_UNREACHABLE, EVIDENCE_TIMEOUT, EVIDENCE_RESPONSE for an answer that is too large, of more than one
 *   line, cut short or not UTF-8
 */
export async function exchangeLine(options: LineExchangeOptions): Promise<string> {
  const { socketPath, line, timeoutMs, maxBytes } = options;
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const socket = connect(socketPath);
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: FastnessError): void => {
      socket.destroy();
      reject(error);
    };
    // One deadline for all of it: a peer that sends a byte now and then must not keep us waiting.
    const timer = setTimeout(() => fail(new FastnessError('EVIDENCE_TIMEOUT', `${timeoutMs} ms.`)), timeoutMs);
    socket.once('error', (cause) => fail(new FastnessError('EVIDENCE_UNREACHABLE', socketPath, { cause })));
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > maxBytes) fail(new FastnessError('EVIDENCE_RESPONSE', `More than ${maxBytes} bytes.`));
    });
    socket.write(`${line}\n`);
  });
  const end = answer.indexOf(0x0a);
  if (end === -1 || end !== answer.length - 1) throw new FastnessError('EVIDENCE_RESPONSE', 'Not one line.');
  try {
    return utf8Decode(answer.subarray(0, end));
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', 'Not UTF-8.', { cause });
  }
}

/** Whether something accepts connections on the socket. */
export async function acceptsConnections(socketPath: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const done = (present: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(present);
    };
    const timer = setTimeout(() => done(false), timeoutMs);
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
