import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { FastnessError } from '@fastness/codec/errors';
import { MAX_FRAME_BYTES } from './constants.ts';

/** A way to a TPM: commands and answers as TPM 2.0 frames them. One exchange at a time; the caller sees to it. */
export interface TpmTransport {
  /** For messages: the path. */
  readonly description: string;
  /** Sends a command and returns the answer, a whole frame. After an error only `close` may be called. */
  exchange(command: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Bytes before the parameters of an answer: tag, size, code. */
const HEADER_BYTES = 10;

/**
 * The kernel's TPM with its resource manager (`/dev/tpmrm0`), or without (`/dev/tpm0`). One write is a command, one read its
 * answer. Throws TPM_DEVICE_UNREACHABLE.
 */
export async function openTpmDevice(path: string): Promise<TpmTransport> {
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW).catch((cause: unknown) => {
    throw unreachable(path, cause);
  });
  const exchange = async (command: Uint8Array): Promise<Uint8Array> => {
    try {
      const { bytesWritten } = await file.write(command);
      if (bytesWritten !== command.length) throw new Error('a short write');
      const answer = new Uint8Array(MAX_FRAME_BYTES);
      const { bytesRead } = await file.read(answer, 0, answer.length, null);
      return answer.subarray(0, bytesRead);
    } catch (cause) {
      throw unreachable(path, cause);
    }
  };
  return {
    description: path,
    // A read of the device cannot be called off: when time is up its answer is left to nobody.
    exchange: (command, timeoutMs) => within(exchange(command), timeoutMs, path),
    close: () => file.close(),
  };
}

/** The Unix socket of swtpm (`swtpm socket --server type=unixio,path=...`). Throws TPM_DEVICE_UNREACHABLE. */
export async function openSwtpmSocket(path: string): Promise<TpmTransport> {
  const socket = await new Promise<Socket>((resolve, reject) => {
    const opening = connect(path);
    opening.once('error', (cause) => {
      reject(unreachable(path, cause));
    });
    opening.once('connect', () => {
      opening.removeAllListeners('error');
      resolve(opening);
    });
  });
  let received: Uint8Array = new Uint8Array(0);
  let waiting: { resolve(frame: Uint8Array): void; reject(error: FastnessError): void } | undefined;
  let failure: FastnessError | undefined;
  const fail = (error: FastnessError): void => {
    failure ??= error;
    socket.destroy();
    waiting?.reject(failure);
    waiting = undefined;
  };
  socket.on('error', (cause) => {
    fail(unreachable(path, cause));
  });
  socket.on('close', () => {
    fail(new FastnessError('TPM_DEVICE_CLOSED', path));
  });
  socket.on('data', (chunk: Buffer) => {
    // Nothing is sent unasked: bytes that nobody waits for would be taken for the next answer.
    if (waiting === undefined) return fail(new FastnessError('TPM_DEVICE_RESPONSE', 'Bytes without a command.'));
    const joined = new Uint8Array(received.length + chunk.length);
    joined.set(received);
    joined.set(chunk, received.length);
    received = joined;
    if (received.length < HEADER_BYTES) return;
    const size = new DataView(joined.buffer).getUint32(2);
    if (size < HEADER_BYTES || size > MAX_FRAME_BYTES || received.length > size) {
      return fail(new FastnessError('TPM_DEVICE_RESPONSE', `A frame of ${size} bytes, ${received.length} received.`));
    }
    if (received.length < size) return;
    received = new Uint8Array(0);
    const done = waiting;
    waiting = undefined;
    done.resolve(joined);
  });
  const exchange = async (command: Uint8Array): Promise<Uint8Array> => {
    if (failure !== undefined) throw failure;
    return await new Promise<Uint8Array>((resolve, reject) => {
      waiting = { resolve, reject };
      socket.write(command);
    });
  };
  return {
    description: path,
    exchange: (command, timeoutMs) => within(exchange(command), timeoutMs, path),
    close: async () => {
      if (socket.destroyed) return;
      await new Promise<void>((resolve) => {
        socket.once('close', () => {
          resolve();
        });
        socket.destroy();
      });
    },
  };
}

async function within<T>(work: Promise<T>, timeoutMs: number, path: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new FastnessError('TPM_DEVICE_TIMEOUT', `${path}, after ${timeoutMs} ms.`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}

function unreachable(path: string, cause: unknown): FastnessError {
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? ` (${cause.code})` : '';
  return new FastnessError('TPM_DEVICE_UNREACHABLE', `${path}${code}.`, { cause });
}
