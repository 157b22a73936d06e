import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { concatBytes, toHex, u16le, utf8Encode } from '@fastness/codec';
import { readModelDisk, streamSource, writeModelDisk } from '@fastness/model/disk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  carry,
  connectTo,
  listenOn,
  sendFile,
  sendHeartbeat,
  vsockAddress,
  type End,
  type SocketAddress,
} from '../src/vsock/index.ts';
import { parseMachineSettings } from '../src/init/settings.ts';
import { codeOf, codeOfAsync } from './codes.ts';

// The calls and the loop of Node are the real ones; the addresses are of AF_UNIX, because machines that test this have no
// virtual sockets that reach themselves. `npm run test:vsock` does the same with virtual sockets, in an emulated machine.

let folder: string;
let closers: (() => Promise<unknown>)[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-vsock-'));
  closers = [];
});
afterEach(async () => {
  for (const close of closers.toReversed()) await close();
  await rm(folder, { recursive: true, force: true });
});

function unix(name: string): SocketAddress {
  const path = join(folder, name);
  return { family: 1, bytes: concatBytes(u16le(1), utf8Encode(`${path}\0`)), name: path };
}

/** A TCP server that gives each connection to `handle`. */
async function tcpServer(handle: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => {});
    handle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { host: '127.0.0.1', port: address.port };
}

async function carried(options: Parameters<typeof carry>[0]): Promise<{ host: string; port: number }> {
  const way = await carry(options);
  closers.push(() => way.close());
  return { host: '127.0.0.1', port: way.port ?? 0 };
}

/** TCP -> virtual socket -> TCP, as a client reaches an enclave and an enclave its broker. */
async function throughBoth(to: End): Promise<{ host: string; port: number }> {
  await carried({ from: unix('inner'), to });
  return carried({ from: { host: '127.0.0.1', port: 0 }, to: unix('inner') });
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function roundTrip(at: { host: string; port: number }, bytes: Uint8Array): Promise<Uint8Array> {
  const socket = connect({ ...at, allowHalfOpen: true });
  socket.end(bytes);
  return new Uint8Array(await buffer(socket));
}

/** The other side has ended the connection, or cut it off. */
async function over(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ['end', 'close', 'error']) socket.once(event, () => resolve());
  socket.resume();
  await promise;
  socket.destroy();
}

async function socketsOpen(): Promise<number> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return links.filter((link) => link.startsWith('socket:')).length;
}

describe('connections that are carried over another kind of socket', () => {
  it('arrive whole in both directions, and a side that has ended still hears the other', async () => {
    const server = await tcpServer((socket) => {
      // Answers only when everything is here, so the way back has to outlive the way there.
      void buffer(socket).then((bytes) => socket.end(concatBytes(utf8Encode(sha256(bytes)), bytes)));
    });
    const at = await throughBoth(server);
    const sent = [4 << 20, 1, 0].map((size) => new Uint8Array(randomBytes(size)));
    const answers = await Promise.all(sent.map(async (bytes) => roundTrip(at, bytes)));
    expect(answers.map(sha256)).toEqual(sent.map((bytes) => sha256(concatBytes(utf8Encode(sha256(bytes)), bytes))));
  });

  it('leave nothing open behind them', async () => {
    const at = await throughBoth(await tcpServer((socket) => socket.pipe(socket)));
    await roundTrip(at, utf8Encode('warm'));
    const before = await socketsOpen();
    for (let each = 0; each < 20; each += 1) await roundTrip(at, utf8Encode('x'));
    await expect.poll(socketsOpen).toBeLessThanOrEqual(before);
  });

  it('wait for a reader that is slow', async () => {
    const readers: Socket[] = [];
    const server = await tcpServer((socket) => {
      if (readers.push(socket.pause()) > 1) socket.pipe(socket);
    });
    const at = await throughBoth(server);
    const writer = connect(at);
    closers.push(async () => writer.destroy());
    let taken = false;
    // Far more than every buffer on the way.
    writer.write(Buffer.alloc(96 << 20), () => {
      taken = true;
    });
    await expect.poll(() => readers.length).toBe(1);
    for (let each = 0; each < 50; each += 1) await roundTrip(at, utf8Encode('meanwhile'));
    expect(taken).toBe(false);
    readers[0]?.resume();
    await expect.poll(() => taken).toBe(true);
  });

  it('are cut off, and it is said why, when nobody is at the other end', async () => {
    const told: unknown[] = [];
    const at = await carried({
      from: { host: '127.0.0.1', port: 0 },
      to: unix('nobody'),
      failed: (error) => told.push(error),
    });
    expect(await roundTrip(at, utf8Encode('hello')).catch(() => 'cut')).toSatisfy(
      (answer: unknown) => answer === 'cut' || (answer instanceof Uint8Array && answer.length === 0),
    );
    await expect.poll(() => told).toMatchObject([{ code: 'VSOCK_UNREACHABLE' }]);
    const closed = await tcpServer(() => {});
    await closers.pop()?.();
    await carried({ from: unix('lonely'), to: closed, failed: (error) => told.push(error) });
    await over(await connectTo(unix('lonely')));
    await expect.poll(() => told.length).toBe(2);
    expect(told[1]).toMatchObject({ code: 'VSOCK_UNREACHABLE' });
  });

  it('are no more than the limit, and end when the way is closed', async () => {
    const server = await tcpServer((socket) => socket.pipe(socket));
    const way = await carry({ from: unix('one'), to: server, limits: { maxConnections: 1 } });
    const first = await connectTo(unix('one'));
    first.write('hello');
    expect(String((await once(first, 'data'))[0])).toBe('hello');
    await over(await connectTo(unix('one')));
    first.write('still');
    expect(String((await once(first, 'data'))[0])).toBe('still');
    const ended = over(first);
    await way.close();
    await ended;
    expect(await codeOfAsync(connectTo(unix('one')))).toBe('VSOCK_UNREACHABLE');
  });

  it('are cut off when nothing moves', async () => {
    const server = await tcpServer((socket) => socket.pipe(socket));
    const way = await carry({ from: unix('idle'), to: server, limits: { idleMs: 50 } });
    closers.push(() => way.close());
    await over(await connectTo(unix('idle')));
  });
});

describe('an address', () => {
  it('of a virtual socket is the structure of the kernel', () => {
    expect(toHex(vsockAddress(3, 9000).bytes)).toBe('28000000282300000300000000000000');
    expect(codeOf(() => vsockAddress(-1, 1))).toBe('VSOCK_ADDRESS');
    expect(codeOf(() => vsockAddress(3, 2 ** 32))).toBe('VSOCK_ADDRESS');
  });

  it('that is taken, or of no known family, is refused', async () => {
    const first = new Server();
    await listenOn(first, unix('taken'));
    closers.push(() => new Promise((resolve) => first.close(resolve)));
    expect(await codeOfAsync(listenOn(new Server(), unix('taken')))).toBe('VSOCK_LISTEN');
    const port = (first.address() as { port?: number } | null)?.port;
    expect(port).toBeUndefined();
    const unknown = { family: 255, bytes: u16le(255), name: 'unknown' };
    expect(await codeOfAsync(listenOn(new Server(), unknown))).toBe('VSOCK_UNSUPPORTED');
    expect(await codeOfAsync(connectTo(unknown))).toBe('VSOCK_UNSUPPORTED');
    const tcp = await tcpServer(() => {});
    expect(await codeOfAsync(carry({ from: tcp, to: unix('x') }))).toBe('VSOCK_LISTEN');
  });
});

describe('the settings of a machine', () => {
  const common = { modules: [], modelMiB: 64 };
  const vsock = { enclave: 7802, broker: 7801, model: 7803 };

  it('say where the model comes from, once', () => {
    expect(parseMachineSettings({ ...common, vsock }).vsock).toEqual({ ...vsock, parent: 3, heartbeat: true });
    expect(parseMachineSettings({ ...common, modelDisk: '/dev/vda' }).vsock).toBeUndefined();
    const both = { ...common, vsock, modelDisk: '/dev/vda' };
    const neither = { ...common, vsock: { enclave: 7802, broker: 7801 } };
    for (const settings of [both, neither, common]) {
      expect(codeOf(() => parseMachineSettings(settings))).toBe('INIT_SETTINGS');
    }
    const far = { ...common, vsock: { ...vsock, enclave: 65_536 } };
    expect(codeOf(() => parseMachineSettings(far))).toBe('INIT_SETTINGS');
  });
});

describe('what an enclave says and fetches when it starts', () => {
  const answering = async (name: string, handle: (socket: Socket) => void): Promise<SocketAddress> => {
    const open = new Set<Socket>();
    const server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => {});
      handle(socket);
    });
    await listenOn(server, unix(name));
    closers.push(async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return unix(name);
  };

  it('is the heartbeat that nitro-cli waits for', async () => {
    const heard: number[] = [];
    const echo = await answering('echo', (socket) =>
      socket.on('data', (bytes) => {
        heard.push(...bytes);
        socket.end(bytes);
      }),
    );
    await sendHeartbeat(echo);
    expect(heard).toEqual([0xb7]);
    const wrong = await answering('wrong', (socket) => socket.end(Uint8Array.of(1)));
    expect(await codeOfAsync(sendHeartbeat(wrong))).toBe('INIT_HEARTBEAT');
    const silent = await answering('silent', (socket) => socket.end());
    expect(await codeOfAsync(sendHeartbeat(silent))).toBe('INIT_HEARTBEAT');
    expect(await codeOfAsync(sendHeartbeat(unix('nobody')))).toBe('INIT_HEARTBEAT');
  });

  it('is the sealed model, byte for byte', async () => {
    const model = join(folder, 'model');
    await mkdir(join(model, 'weights'), { recursive: true });
    const weights = randomBytes(3_000_001);
    await writeFile(join(model, 'weights/a.bin'), weights);
    await writeFile(join(model, 'z.json'), '{}');
    const image = join(folder, 'model.img');
    await writeModelDisk({ directory: model, target: image });
    const sending = await sendFile({ from: unix('disk'), file: image });
    closers.push(() => sending.close());
    const fetched = join(folder, 'fetched');
    await mkdir(fetched);
    const device = streamSource('disk', await connectTo(unix('disk')));
    const files = await readModelDisk({ device, directory: fetched, maxBytes: 4 << 20 });
    expect(files.map(({ path }) => path)).toEqual(['weights/a.bin', 'z.json']);
    expect(sha256(await readFile(join(fetched, 'weights/a.bin')))).toBe(sha256(weights));
    const bytes = await readFile(image);
    await writeFile(image, bytes.subarray(0, bytes.length - 5000));
    const cut = streamSource('disk', await connectTo(unix('disk')));
    const again = join(folder, 'again');
    await mkdir(again);
    const half = readModelDisk({ device: cut, directory: again, maxBytes: 4 << 20 });
    expect(await codeOfAsync(half)).toBe('MODEL_DISK_TRUNCATED');
    const broken = streamSource('disk', await connectTo(unix('disk')));
    await broken.close();
    const none = readModelDisk({ device: broken, directory: again, maxBytes: 4 << 20 });
    expect(await codeOfAsync(none)).toBe('MODEL_DISK_UNREADABLE');
  });
});
