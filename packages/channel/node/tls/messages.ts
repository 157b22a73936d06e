import type { TLSSocket } from 'node:tls';
import { ByteParts, u32be } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

/** One message of the exchange: its length as 32 bits, big-endian, and JSON. */
export function writeMessage(socket: TLSSocket, message: object): void {
  const text = new TextEncoder().encode(JSON.stringify(message));
  socket.write(Buffer.concat([u32be(text.length), text]));
}

/**
 * Reads one message of at most `limit` bytes and nothing behind it: what the peer sends next stays in the socket.
 * @throws FastnessError `CHANNEL_TLS_EXCHANGE`, `CHANNEL_TLS_CLOSED`, and the reason of `signal`
 */
export async function readMessage(socket: TLSSocket, limit: number, signal: AbortSignal): Promise<Uint8Array> {
  const head = await readBytes(socket, 4, signal);
  const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0);
  if (length === 0 || length > limit)
    throw new FastnessError('CHANNEL_TLS_EXCHANGE', `A message of ${length} bytes; at most ${limit}.`);
  return readBytes(socket, length, signal);
}

/** Takes the pieces as they come, so that a length that a peer claims reserves nothing. */
async function readBytes(socket: TLSSocket, count: number, signal: AbortSignal): Promise<Uint8Array> {
  const parts = new ByteParts();
  while (parts.length < count) {
    signal.throwIfAborted();
    const available = Math.min(count - parts.length, socket.readableLength);
    const part: unknown = available === 0 ? null : socket.read(available);
    if (part instanceof Uint8Array) {
      parts.push(part);
    } else if (socket.readableEnded || socket.destroyed) {
      throw new FastnessError('CHANNEL_TLS_CLOSED', undefined, { cause: socket.errored ?? undefined });
    } else {
      // Asks for more, and lets a stream that has ended say so.
      socket.read(0);
      await untilReadable(socket, signal);
    }
  }
  return parts.join();
}

function untilReadable(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'close', 'error'] as const;
    const done = (): void => {
      for (const event of events) socket.off(event, done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    for (const event of events) socket.on(event, done);
    signal.addEventListener('abort', done, { once: true });
  });
}
