import koffi from 'koffi';
import { getSystemErrorName } from 'node:util';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { SocketAddress } from './address.ts';

/** The calls on sockets that Node does not offer for every family of addresses. Linux on x86-64 and arm64. */
export interface SocketCalls {
  /** socket(2) for a stream that never blocks and is not inherited. Throws VSOCK_UNSUPPORTED, VSOCK_CALL. */
  open(family: number): number;
  /** bind(2) and listen(2). Throws VSOCK_LISTEN. */
  listen(fd: number, address: SocketAddress, backlog: number): void;
  /** Begins to connect. Throws VSOCK_UNREACHABLE. */
  connect(fd: number, address: SocketAddress): void;
  /** Whether what was begun is over: connected or failed. Does not wait. */
  settled(fd: number): boolean;
  /** SO_ERROR: 0, or an errno, which is cleared. */
  errorOf(fd: number): number;
  /** Makes `taken` stand for what `fd` stands for, and closes `fd`. Throws VSOCK_CALL. */
  moveOnto(fd: number, taken: number): void;
  close(fd: number): void;
}

export const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const POLLOUT = 4;
const EAFNOSUPPORT = 97;
const EINPROGRESS = 115;

let loaded: (SocketCalls & { readonly library: unknown }) | undefined;

/** Throws VSOCK_UNSUPPORTED where there is no glibc to call. */
export function socketCalls(): SocketCalls {
  loaded ??= load();
  return loaded;
}

function load(): SocketCalls & { readonly library: unknown } {
  let library;
  try {
    library = koffi.load('libc.so.6');
  } catch (cause) {
    throw new FastnessError('VSOCK_UNSUPPORTED', 'The C library (libc.so.6) cannot be called.', { cause });
  }
  const socket = library.func('int socket(int domain, int type, int protocol)');
  const bind = library.func('int bind(int fd, const void *address, unsigned int length)');
  const listen = library.func('int listen(int fd, int backlog)');
  const connect = library.func('int connect(int fd, const void *address, unsigned int length)');
  const poll = library.func('int poll(_Inout_ void *sockets, unsigned long count, int timeout)');
  const getsockopt = library.func(
    'int getsockopt(int fd, int level, int option, _Inout_ void *value, _Inout_ void *length)',
  );
  const dup3 = library.func('int dup3(int from, int onto, int flags)');
  const close = library.func('int close(int fd)');
  const check = (result: unknown, code: ErrorCode, what: string): void => {
    if (Number(result) >= 0) return;
    throw new FastnessError(code, `${what}: ${getSystemErrorName(-koffi.errno())}.`);
  };
  return Object.freeze({
    // A library that nobody holds is unloaded, and its functions with it.
    library,
    open(family: number) {
      const fd = Number(socket(family, SOCK_STREAM | SOCK_NONBLOCK | O_CLOEXEC, 0));
      check(fd, koffi.errno() === EAFNOSUPPORT ? 'VSOCK_UNSUPPORTED' : 'VSOCK_CALL', 'socket');
      return fd;
    },
    listen(fd: number, { bytes, name }: SocketAddress, backlog: number) {
      check(bind(fd, bytes, bytes.length), 'VSOCK_LISTEN', name);
      check(listen(fd, backlog), 'VSOCK_LISTEN', name);
    },
    connect(fd: number, { bytes, name }: SocketAddress) {
      const result = Number(connect(fd, bytes, bytes.length));
      if (result < 0 && koffi.errno() === EINPROGRESS) return;
      check(result, 'VSOCK_UNREACHABLE', name);
    },
    settled(fd: number) {
      // struct pollfd: descriptor, what is asked, what is so.
      const request = Buffer.alloc(8);
      request.writeInt32LE(fd, 0);
      request.writeInt16LE(POLLOUT, 4);
      return Number(poll(request, 1, 0)) > 0;
    },
    errorOf(fd: number) {
      const value = Buffer.alloc(4);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(value.length);
      check(getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length), 'VSOCK_CALL', 'getsockopt');
      return value.readInt32LE();
    },
    moveOnto(fd: number, taken: number) {
      check(dup3(fd, taken, O_CLOEXEC), 'VSOCK_CALL', 'dup3');
      close(fd);
    },
    close: (fd: number) => void close(fd),
  });
}
