import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { concatBytes, u16le, u32le } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { errnoName } from './ioctl.ts';
import { koffi } from './native.ts';

/** Where a stream socket connects to: as connect(2) takes it, family first. */
export interface StreamAddress {
  readonly bytes: Uint8Array;
  /** For people. */
  readonly name: string;
}

const AF_VSOCK = 40;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const POLLOUT = 4;
const LONGEST_PAUSE_MS = 16;
const CHUNK = 65_536;

/** struct sockaddr_vm (include/uapi/linux/vm_sockets.h): family, 2 reserved bytes, port, context identifier, 4 bytes of zeros. */
export function vsockStream(cid: number, port: number): StreamAddress {
  return {
    bytes: concatBytes(u16le(AF_VSOCK), u16le(0), u32le(port), u32le(cid), new Uint8Array(4)),
    name: `vsock ${cid}:${port}`,
  };
}

/** A connection whose calls never wait; whoever wants something asks again until it is late. */
interface Connection {
  readonly send: (bytes: Uint8Array) => Promise<void>;
  /** As many bytes as asked, no fewer. */
  readonly receive: (size: number) => Promise<Uint8Array>;
}

/**
 * Connects a stream socket of any family, which Node does not offer, for one exchange. One clock runs for all of it, so that
 * a peer that sends a byte now and then does not hold it up for ever.
 * @throws EVIDENCE_UNREACHABLE, EVIDENCE_TIMEOUT, EVIDENCE_RESPONSE when the peer ends early, EVIDENCE_NATIVE, and what `work` throws
 */
export async function withStream<T>(
  { bytes: address, name }: StreamAddress,
  timeoutMs: number,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const calls = load();
  const until = performance.now() + timeoutMs;
  const again = async <R>(attempt: () => R | undefined): Promise<R> => {
    for (let pause = 0; ; pause = Math.min(pause * 2 + 1, LONGEST_PAUSE_MS)) {
      const done = attempt();
      if (done !== undefined) return done;
      if (performance.now() > until) throw new FastnessError('EVIDENCE_TIMEOUT', `${name}: ${timeoutMs} ms.`);
      await sleep(pause);
    }
  };
  const fd = calls.socket(address[0] ?? 0);
  if (fd < 0) throw unreachable(name, fd);
  try {
    const begun = calls.connect(fd, address);
    if (begun < 0 && !['EINPROGRESS', 'EINTR', 'EAGAIN'].includes(errnoName(begun))) throw unreachable(name, begun);
    await again(() => (calls.writable(fd) ? true : undefined));
    const failure = calls.errorOf(fd);
    if (failure !== 0) throw unreachable(name, -failure);
    return await work({
      send: async (bytes) => {
        for (let sent = 0; sent < bytes.length;) {
          sent += await again(() => moved(name, calls.send(fd, bytes.subarray(sent))));
        }
      },
      receive: async (size) => {
        const parts: Uint8Array[] = [];
        for (let total = 0; total < size;) {
          const room = new Uint8Array(Math.min(size - total, CHUNK));
          const got = await again(() => moved(name, calls.receive(fd, room)));
          if (got === 0) throw new FastnessError('EVIDENCE_RESPONSE', `${name} ended after ${total} of ${size} bytes.`);
          total += got;
          parts.push(room.subarray(0, got));
        }
        return concatBytes(...parts);
      },
    });
  } finally {
    calls.close(fd);
  }
}

/** What a call said, or undefined when nothing could be moved yet. */
function moved(name: string, answer: number): number | undefined {
  if (answer >= 0) return answer;
  if (['EAGAIN', 'EWOULDBLOCK', 'EINTR'].includes(errnoName(answer))) return undefined;
  throw unreachable(name, answer);
}

function unreachable(name: string, answer: number): FastnessError {
  return new FastnessError('EVIDENCE_UNREACHABLE', `${name}: ${errnoName(answer)}.`);
}

/** Each returns what the call does, or a negative errno. */
interface Calls {
  readonly library: unknown;
  socket(family: number): number;
  connect(fd: number, address: Uint8Array): number;
  writable(fd: number): boolean;
  errorOf(fd: number): number;
  send(fd: number, bytes: Uint8Array): number;
  receive(fd: number, room: Uint8Array): number;
  close(fd: number): void;
}

let loaded: Calls | undefined;

function load(): Calls {
  loaded ??= loadCalls();
  return loaded;
}

function loadCalls(): Calls {
  const module = koffi();
  let library;
  try {
    library = module.load('libc.so.6');
  } catch (cause) {
    throw new FastnessError('EVIDENCE_NATIVE', 'libc.so.6 cannot be called.', { cause });
  }
  const socket = library.func('int socket(int domain, int type, int protocol)');
  const connect = library.func('int connect(int fd, const void *address, unsigned int length)');
  const poll = library.func('int poll(_Inout_ void *sockets, unsigned long count, int timeout)');
  const getsockopt = library.func(
    'int getsockopt(int fd, int level, int option, _Inout_ void *value, _Inout_ void *length)',
  );
  const send = library.func('long send(int fd, const void *bytes, unsigned long size, int flags)');
  const recv = library.func('long recv(int fd, _Out_ void *bytes, unsigned long size, int flags)');
  const close = library.func('int close(int fd)');
  const said = (answer: unknown): number => (Number(answer) < 0 ? -module.errno() : Number(answer));
  return Object.freeze<Calls>({
    // A library that nobody holds is unloaded, and its functions with it.
    library,
    socket: (family) => said(socket(family, SOCK_STREAM_NONBLOCK_CLOEXEC, 0)),
    connect: (fd, address) => said(connect(fd, address, address.length)),
    writable: (fd) => {
      // struct pollfd: descriptor, what is asked, what is so.
      const request = Buffer.alloc(8);
      request.writeInt32LE(fd, 0);
      request.writeInt16LE(POLLOUT, 4);
      return Number(poll(request, 1, 0)) > 0;
    },
    errorOf: (fd) => {
      const value = Buffer.alloc(4);
      const length = Buffer.from([value.length, 0, 0, 0]);
      const answer = said(getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length));
      return answer < 0 ? -answer : value.readInt32LE();
    },
    send: (fd, bytes) => said(send(fd, bytes, bytes.length, MSG_NOSIGNAL)),
    receive: (fd, room) => said(recv(fd, room, room.length, 0)),
    close: (fd) => void close(fd),
  });
}
