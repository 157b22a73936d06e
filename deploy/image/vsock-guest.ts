// The first process of the machine that `npm run test:vsock` boots: an enclave's side and its parent's, over virtual sockets of
// the kernel that lead back to this machine. Prints one object a line.
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, Server as TcpServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { writeModelDisk } from '@fastness/model/disk';
import { startVsockProxy } from '../../apps/cli/src/support/vsock-proxy.ts';
import type { Kernel } from '../../apps/enclave/src/init/kernel.ts';
import { configureNetwork } from '../../apps/enclave/src/init/network.ts';
import { openWays, receiveModel } from '../../apps/enclave/src/init/parent.ts';
import { vsockStream, withStream } from '../../packages/evidence/src/devices/vsock-exchange.ts';
import { ANY_CID, connectTo, HEARTBEAT_PORT, listenOn, vsockAddress } from '../../apps/enclave/src/vsock/index.ts';
import { refused, runTest, say, settingsOf } from './guest-say.ts';

/** VMADDR_CID_LOCAL: this machine, where vsock_loopback is loaded. */
const LOCAL = 1;
const QGS_PORT = 4050;
const ports = { enclave: 7802, broker: 7801, model: 7803 };
const outside = { clients: 8802, broker: 8801 };
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function http(port: number, answer: (body: Uint8Array) => Promise<Uint8Array>): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    void buffer(incoming).then(async (body) => outgoing.end(await answer(body)));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

async function post(port: number, body: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body });
  return new Uint8Array(await response.arrayBuffer());
}

async function main(kernel: Kernel): Promise<void> {
  const before = await refused(connectTo(vsockAddress(LOCAL, 1)));
  say('without the modules there are no virtual sockets', before.code === 'VSOCK_UNSUPPORTED', before.detail);
  for (const path of settingsOf().modules) kernel.loadModule(path);
  await configureNetwork(kernel, undefined, () => {});

  // Outside: the broker, the proxy, and what nitro-cli does.
  mkdirSync('/tmp/sealed');
  const weights = randomBytes(3_000_001);
  writeFileSync('/tmp/sealed/weights.bin', weights);
  await writeModelDisk({ directory: '/tmp/sealed', target: '/tmp/model.img' });
  await http(outside.broker, async (body) => Buffer.from(`broker ${sha256(body)}`));
  const cut: string[] = [];
  const proxy = await startVsockProxy({
    clients: { host: '127.0.0.1', port: outside.clients },
    enclave: vsockAddress(LOCAL, ports.enclave),
    brokerSide: vsockAddress(ANY_CID, ports.broker),
    broker: { host: '127.0.0.1', port: outside.broker },
    model: { at: vsockAddress(ANY_CID, ports.model), file: '/tmp/model.img' },
    failed: ({ code }) => cut.push(code),
  });
  const beats: number[] = [];
  const parent = createTcpServer((socket) =>
    socket.on('data', (bytes) => {
      beats.push(...bytes);
      socket.end(bytes);
    }),
  );
  await listenOn(parent, vsockAddress(ANY_CID, HEARTBEAT_PORT));

  // Inside.
  await openWays({ parent: LOCAL, ...ports, heartbeat: true }, () => {});
  say('the heartbeat was heard and answered', beats.length === 1 && beats[0] === 0xb7);
  mkdirSync('/tmp/opened');
  const place = { directory: '/tmp/opened', maxBytes: 4 << 20 };
  const files = await receiveModel({ parent: LOCAL, port: ports.model, ...place });
  const whole = sha256(readFileSync('/tmp/opened/weights.bin')) === sha256(weights);
  say('the sealed model arrived byte for byte', whole && files.length === 1, `${weights.length} bytes`);
  await http(ports.enclave, async (body) => post(ports.broker, new Uint8Array(body)));
  const sent = new Uint8Array(randomBytes(1 << 20));
  const begun = performance.now();
  const answers = await Promise.all(Array.from({ length: 4 }, async () => post(outside.clients, sent)));
  const right = answers.every((answer) => Buffer.from(answer).toString() === `broker ${sha256(sent)}`);
  say(
    'a client reaches the enclave and the enclave its broker',
    right,
    `4 times 1 MiB in ${Math.round(performance.now() - begun)} ms`,
  );
  say('nothing was cut off', cut.length === 0, cut.join(' '));

  const nobody = await refused(connectTo(vsockAddress(LOCAL, 4242)));
  say('a port without a listener', nobody.code === 'VSOCK_UNREACHABLE', nobody.detail);
  const nowhere = await refused(connectTo(vsockAddress(77, 1), { timeoutMs: 10_000 }));
  say('an identifier that nobody has', nowhere.code === 'VSOCK_UNREACHABLE', nowhere.detail);
  const taken = await refused(listenOn(new TcpServer(), vsockAddress(ANY_CID, ports.model)));
  say('a port that is taken', taken.code === 'VSOCK_LISTEN', taken.detail);
  await proxy.close();
  const closed = await refused(connectTo(vsockAddress(LOCAL, ports.model)));
  say('nothing listens when the proxy is closed', closed.code === 'VSOCK_UNREACHABLE', closed.detail);

  // The collector of TDX quotes asks the host's service in this way.
  const service = createTcpServer((socket) => {
    socket.once('data', (question) => socket.end(Buffer.concat([question, new Uint8Array(100_000)])));
  });
  await listenOn(service, vsockAddress(ANY_CID, QGS_PORT));
  const got = await withStream(vsockStream(LOCAL, QGS_PORT), 60_000, async ({ send, receive }) => {
    await send(Uint8Array.of(1, 2, 3));
    return await receive(100_003);
  });
  say('a service of the host answers', got[2] === 3 && got.length === 100_003, `${got.length} bytes`);
  const silent = await refused(withStream(vsockStream(LOCAL, 4242), 60_000, ({ receive }) => receive(1)));
  say('no service of the host', silent.code === 'EVIDENCE_UNREACHABLE', silent.detail);
  service.close();
}

await runTest(main);
