import koffi from 'koffi';
import { concatBytes, u16be, u16le, u32le, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { DhcpPort } from './client.ts';
import { dhcpPayload } from './packet.ts';

const AF_INET = 2;
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
/** Calls never wait, programs that are started do not inherit it. */
const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
const SOL_SOCKET = 1;
const SO_BROADCAST = 6;
const SO_BINDTODEVICE = 25;
/** ETH_P_IP. */
const IP = 0x0800;
const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const EVERYBODY = '255.255.255.255';
/** More than a packet of any card has. */
const PACKET_BYTES = 65_536;
/** Packets that are no answers, which are passed over in one look. */
const MOST_PASSED = 64;

/**
 * The DHCP servers of the network behind a card. Answers are read from the card itself (packet(7)): many servers send them to the
 * address that they only just offered, which the kernel does not take for its own yet. Node has no such sockets. Throws INIT_NETWORK.
 */
export function openDhcpPort(card: string): DhcpPort {
  const library = koffi.load('libc.so.6');
  const socket = library.func('int socket(int domain, int type, int protocol)');
  const setsockopt = library.func(
    'int setsockopt(int fd, int level, int option, const void *value, unsigned int length)',
  );
  const bind = library.func('int bind(int fd, const void *address, unsigned int length)');
  const nameToIndex = library.func('unsigned int if_nametoindex(const char *name)');
  const sendto = library.func(
    'long sendto(int fd, const void *bytes, unsigned long length, int flags, const void *address, unsigned int size)',
  );
  const recv = library.func('long recv(int fd, _Out_ void *bytes, unsigned long length, int flags)');
  const closeFd = library.func('int close(int fd)');
  const open: number[] = [];
  const close = (): void => {
    for (const fd of open.splice(0)) closeFd(fd);
  };
  const did = (result: unknown, what: string): number => {
    if (Number(result) >= 0) return Number(result);
    const detail = `${what} on ${card}: errno ${koffi.errno()}.`;
    throw new FastnessError('INIT_NETWORK', detail);
  };
  const opened = (domain: number, protocol: number): number => {
    const fd = did(socket(domain, SOCK_DGRAM | SOCK_NONBLOCK_CLOEXEC, protocol), 'socket');
    open.push(fd);
    return fd;
  };
  try {
    const sender = opened(AF_INET, 0);
    const name = utf8Encode(`${card}\0`);
    did(setsockopt(sender, SOL_SOCKET, SO_BINDTODEVICE, name, name.length), 'SO_BINDTODEVICE');
    did(setsockopt(sender, SOL_SOCKET, SO_BROADCAST, u32le(1), 4), 'SO_BROADCAST');
    did(bind(sender, inetAddress('0.0.0.0', CLIENT_PORT), 16), 'port 68');
    // The protocol comes with bind, so that nothing of other cards is heard before.
    const hearer = opened(AF_PACKET, 0);
    const index = Number(nameToIndex(card));
    if (index === 0) throw new FastnessError('INIT_NETWORK', `${card} is not there.`);
    did(bind(hearer, packetAddress(index), 20), 'AF_PACKET');
    const buffer = new Uint8Array(PACKET_BYTES);
    return {
      send(message, server = EVERYBODY) {
        did(sendto(sender, message, message.length, 0, inetAddress(server, SERVER_PORT), 16), 'send');
      },
      receive() {
        for (let passed = 0; passed < MOST_PASSED; passed += 1) {
          const length = Number(recv(hearer, buffer, buffer.length, 0));
          if (length < 0) return undefined;
          const payload = dhcpPayload(buffer.subarray(0, length));
          if (payload !== undefined) return payload.slice();
        }
        return undefined;
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** struct sockaddr_in: 16 bytes. */
function inetAddress(address: string, port: number): Uint8Array {
  const octets = Uint8Array.from(address.split('.'), Number);
  return concatBytes(u16le(AF_INET), u16be(port), octets, new Uint8Array(8));
}

/** struct sockaddr_ll: 20 bytes, of which bind(2) reads family, protocol and card. */
function packetAddress(index: number): Uint8Array {
  return concatBytes(u16le(AF_PACKET), u16be(IP), u32le(index), new Uint8Array(12));
}
