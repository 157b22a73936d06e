import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { concatBytes, u16be, u32be, utf8Encode } from '@fastness/codec';
import { answerName } from './name-answer.ts';

/**
 * The other end of a network card of QEMU's (-netdev stream): a DHCP server that sends its answers to the address which it offers, as
 * many do, and lies before it answers; and a name server.
 */

export const PEER = '10.9.0.1';
export const OFFERED = '10.9.0.7';
const HARDWARE = Uint8Array.of(0x02, 0, 0, 0, 0, 1);
const ARP = 0x0806;
const IPV4 = 0x0800;
const ETHERNET = 14;
const IP_HEADER = 20;
const UDP_HEADER = 8;
const MAX_FRAME = 65_550;

export async function startPeer(path: string): Promise<Server> {
  const server = createServer(serve);
  server.listen(path);
  await once(server, 'listening');
  return server;
}

/** Each frame comes and goes behind its length, 4 bytes. */
function serve(socket: Socket): void {
  let pending = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    pending = Buffer.concat([pending, bytes]);
    while (pending.length >= 4) {
      const length = pending.readUInt32BE(0);
      if (length > MAX_FRAME) {
        socket.destroy();
        return;
      }
      if (pending.length < 4 + length) return;
      for (const frame of answersTo(pending.subarray(4, 4 + length)))
        socket.write(concatBytes(u32be(frame.length), frame));
      pending = pending.subarray(4 + length);
    }
  });
}

function answersTo(frame: Buffer): readonly Uint8Array[] {
  if (frame.length < ETHERNET + IP_HEADER + UDP_HEADER) return [];
  const from = frame.subarray(6, 12);
  const type = frame.readUInt16BE(12);
  const body = frame.subarray(ETHERNET);
  if (type === ARP) return body.subarray(24, 28).join('.') === PEER ? [arpAnswer(from, body)] : [];
  if (type !== IPV4 || body[0] !== 0x45 || body[9] !== 17) return [];
  const payload = body.subarray(IP_HEADER + UDP_HEADER, body.readUInt16BE(2));
  const port = body.readUInt16BE(IP_HEADER + 2);
  if (port === 67) return dhcpAnswers(payload).map((each) => udp(from, OFFERED, [67, 68], each));
  const asker = body.subarray(12, 16).join('.');
  // The machine outside, as the other network of the test has it.
  if (port === 53) return [udp(from, asker, [53, body.readUInt16BE(IP_HEADER)], answerName(payload, '10.0.2.2'))];
  return [];
}

function arpAnswer(to: Uint8Array, request: Buffer): Uint8Array {
  const body = concatBytes(request.subarray(0, 6), u16be(2), HARDWARE, octets(PEER), request.subarray(8, 18));
  return concatBytes(to, HARDWARE, u16be(ARP), body);
}

/** Answers that must be passed over, then the one that counts. */
function dhcpAnswers(question: Buffer): readonly Uint8Array[] {
  const asked = question[question.indexOf(Uint8Array.of(0x35, 1), 240) + 2];
  const type = asked === 1 ? 2 : 5;
  const options = [
    [53, Uint8Array.of(type)],
    [54, octets(PEER)],
    [51, u32be(3600)],
    [1, octets('255.255.255.0')],
    [6, octets(PEER)],
    // Nobody asked for these: a host name, a route to everywhere, time servers.
    [12, utf8Encode('evil')],
    [121, Uint8Array.of(0, ...octets(PEER))],
    [42, octets(PEER)],
  ] as const;
  const message = (transaction: Uint8Array, given: string, extra: readonly (readonly [number, Uint8Array])[] = []) => {
    const fixed = new Uint8Array(236);
    fixed.set([2, 1, 6, 0]);
    fixed.set(transaction, 4);
    fixed.set(octets(given), 16);
    fixed.set(question.subarray(28, 34), 28);
    const written = [...options, ...extra].map(([code, value]) =>
      concatBytes(Uint8Array.of(code, value.length), value),
    );
    return concatBytes(fixed, Uint8Array.of(0x63, 0x82, 0x53, 0x63), ...written, Uint8Array.of(255));
  };
  const transaction = question.subarray(4, 8);
  return [
    message(Uint8Array.of(1, 2, 3, 4), '10.9.0.66'),
    message(transaction, '127.0.0.1'),
    message(transaction, '10.9.0.67', [[3, octets('127.0.0.1')]]),
    message(transaction, OFFERED),
  ];
}

function udp(
  to: Uint8Array,
  address: string,
  [source, target]: readonly [number, number],
  payload: Uint8Array,
): Uint8Array {
  const length = UDP_HEADER + payload.length;
  // No checksum, which IPv4 allows.
  const body = concatBytes(u16be(source), u16be(target), u16be(length), u16be(0), payload);
  const header = Buffer.from(
    concatBytes(
      Uint8Array.of(0x45, 0),
      u16be(IP_HEADER + length),
      Uint8Array.of(0, 0, 0, 0, 64, 17, 0, 0),
      octets(PEER),
      octets(address),
    ),
  );
  let sum = 0;
  for (let at = 0; at < IP_HEADER; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  header.writeUInt16BE(~sum & 0xffff, 10);
  return concatBytes(to, HARDWARE, u16be(IPV4), header, body);
}

function octets(address: string): Uint8Array {
  return Uint8Array.from(address.split('.'), Number);
}
