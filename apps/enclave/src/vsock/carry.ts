import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { acceptAt, reach, type Accepting, type End, type Limits } from './accept.ts';

/** Why a connection was cut off. */
export type Failed = (error: unknown) => void;

/**
 * Carries every connection at `from` on to `to`, both ways, with the speed of the slower side. Whoever does this sees
 * ciphertext, can cut it off, and is trusted with nothing. A side that ends is ended at the other; the other goes on.
 * Throws VSOCK_UNSUPPORTED, VSOCK_LISTEN, VSOCK_CALL.
 */
export async function carry(options: {
  readonly from: End;
  readonly to: End;
  readonly limits?: Limits;
  readonly failed?: Failed;
}): Promise<Accepting> {
  const { from, to, limits = {}, failed = () => {} } = options;
  return acceptAt(
    from,
    async (near, closing) => {
      const far = await reach(to, closing, limits.connectMs);
      const cut = (): void => void far.destroy();
      closing.addEventListener('abort', cut, { once: true });
      // What carries the bytes hears of errors; a late one must not end the process.
      far.on('error', () => {});
      try {
        await Promise.all([pipeline(near, far), pipeline(far, near)]);
      } finally {
        closing.removeEventListener('abort', cut);
        far.destroy();
      }
    },
    failed,
    limits,
  );
}

/**
 * Sends a file to whoever connects, then ends. What is sent back is dropped.
 * Throws VSOCK_UNSUPPORTED, VSOCK_LISTEN, VSOCK_CALL.
 */
export async function sendFile(options: {
  readonly from: End;
  readonly file: string;
  readonly limits?: Limits;
  readonly failed?: Failed;
}): Promise<Accepting> {
  const { from, file, limits = {}, failed = () => {} } = options;
  return acceptAt(
    from,
    async (socket, closing) => {
      socket.resume();
      await pipeline(createReadStream(file), socket, { signal: closing });
    },
    failed,
    limits,
  );
}
