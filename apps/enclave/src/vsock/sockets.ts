import { Socket, type Server } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';
import { FastnessError } from '@fastness/codec/errors';
import type { SocketAddress } from './address.ts';
import { AF_UNIX, socketCalls } from './calls.ts';

// Node reads and writes any stream socket without blocking, but takes only those of the families that it knows. So it is given
// an empty socket of a family that it knows, and in the same turn of its loop, before it has waited for that socket, the
// descriptor is made to stand for the other one. From there on reading, writing, accepting, half-closing and back-pressure are
// Node's own; no byte goes through the foreign function interface and no thread waits.

/** struct sockaddr with the family alone: the kernel finds a name (unix(7), "Autobind feature"). */
const UNNAMED: SocketAddress = { family: AF_UNIX, bytes: Uint8Array.of(AF_UNIX, 0), name: 'unnamed' };
const BACKLOG = 128;
const LONGEST_PAUSE_MS = 16;

/**
 * Connects. The socket stays half-open until both sides have ended.
 * @param options.timeoutMs default 5000; the kernel gives up after two seconds by itself
 * Throws VSOCK_UNSUPPORTED, VSOCK_UNREACHABLE, VSOCK_CALL, and the signal's reason.
 */
export async function connectTo(
  address: SocketAddress,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<Socket> {
  const { timeoutMs = 5000, signal } = options;
  const calls = socketCalls();
  const fd = calls.open(address.family);
  try {
    calls.connect(fd, address);
    const until = performance.now() + timeoutMs;
    for (let pause = 0; !calls.settled(fd); pause = Math.min(pause * 2 + 1, LONGEST_PAUSE_MS)) {
      if (performance.now() > until)
        throw new FastnessError('VSOCK_UNREACHABLE', `${address.name}: no answer in ${timeoutMs} ms.`);
      await sleep(pause, undefined, signal === undefined ? {} : { signal });
    }
    const errno = calls.errorOf(fd);
    if (errno !== 0) throw new FastnessError('VSOCK_UNREACHABLE', `${address.name}: ${getSystemErrorName(-errno)}.`);
    return adopt(fd);
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

/** Lets a server of Node listen. Throws VSOCK_UNSUPPORTED, VSOCK_LISTEN, VSOCK_CALL. */
export async function listenOn(server: Server, address: SocketAddress): Promise<void> {
  const calls = socketCalls();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (cause: Error): void => reject(new FastnessError('VSOCK_LISTEN', address.name, { cause }));
  const fd = calls.open(address.family);
  try {
    calls.listen(fd, address, BACKLOG);
    const slot = calls.open(AF_UNIX);
    try {
      calls.listen(slot, UNNAMED, 1);
      server.once('error', fail);
      server.listen({ fd: slot }, resolve);
      calls.moveOnto(fd, slot);
    } catch (error) {
      // What the server has taken, it closes.
      if (server.listening) server.close();
      else calls.close(slot);
      throw error;
    }
  } catch (error) {
    calls.close(fd);
    throw error;
  }
  await promise;
  server.off('error', fail);
}

/** A connected descriptor as a socket of Node, which owns it from then on. */
function adopt(fd: number): Socket {
  const calls = socketCalls();
  const slot = calls.open(AF_UNIX);
  const socket = new Socket({ fd: slot, readable: true, writable: true, allowHalfOpen: true });
  try {
    calls.moveOnto(fd, slot);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket;
}
