import { concatBytes, u16le, utf8Encode } from '@fastness/codec';
import type { Kernel } from './kernel.ts';
import type { MachineSettings } from './settings.ts';

/** Codes of include/uapi/linux/sockios.h. */
const SIOCADDRT = 0x890b;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFADDR = 0x8916;
const SIOCSIFNETMASK = 0x891c;
const IFF_UP = 1;
const RTF_UP_GATEWAY = 3;
const AF_INET = 2;

/** Brings up the loopback interface and, where the image asks for it, one other with a fixed address. Throws INIT_NETWORK. */
export function configureNetwork(kernel: Kernel, network: MachineSettings['network']): void {
  up(kernel, 'lo');
  if (network === undefined) return;
  const { interface: name, address, prefix, gateway } = network;
  kernel.networkControl(`address of ${name}`, SIOCSIFADDR, interfaceRequest(name, socketAddress(address)));
  kernel.networkControl(`mask of ${name}`, SIOCSIFNETMASK, interfaceRequest(name, socketAddress(maskOf(prefix))));
  up(kernel, name);
  if (gateway !== undefined) kernel.networkControl('default route', SIOCADDRT, routeRequest(gateway));
}

function up(kernel: Kernel, name: string): void {
  kernel.networkControl(`${name} up`, SIOCSIFFLAGS, interfaceRequest(name, u16le(IFF_UP)));
}

/** struct ifreq: 16 bytes of name, 24 of value (netdevice(7)). */
function interfaceRequest(name: string, value: Uint8Array): Uint8Array {
  const request = new Uint8Array(40);
  request.set(utf8Encode(name));
  request.set(value, 16);
  return request;
}

/** struct sockaddr_in without a port: 16 bytes. */
function socketAddress(address: string): Uint8Array {
  const octets = Uint8Array.from(address.split('.'), Number);
  return concatBytes(u16le(AF_INET), new Uint8Array(2), octets, new Uint8Array(8));
}

/** struct rtentry of 64-bit Linux: 8 bytes, destination, gateway, mask, flags, and 54 bytes that stay zero. */
function routeRequest(gateway: string): Uint8Array {
  const any = socketAddress('0.0.0.0');
  return concatBytes(new Uint8Array(8), any, socketAddress(gateway), any, u16le(RTF_UP_GATEWAY), new Uint8Array(62));
}

function maskOf(prefix: number): string {
  const bits = prefix === 0 ? 0 : (0xffff_ffff << (32 - prefix)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.');
}
