import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { concatBytes, fromHex, u16le, u32le, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { Log } from '../log.ts';
import { keepLease, obtainLease, openDhcpPort, type DhcpLease } from './dhcp/index.ts';
import { MS_BIND, type Kernel } from './kernel.ts';
import type { MachineSettings } from './settings.ts';

/** Codes of include/uapi/linux/sockios.h. */
const SIOCADDRT = 0x890b;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFADDR = 0x8916;
const SIOCSIFDSTADDR = 0x8918;
const SIOCSIFNETMASK = 0x891c;
const SIOCSIFMTU = 0x8922;
const IFF_UP = 1;
const RTF_UP_GATEWAY = 3;
const AF_INET = 2;
/** Drivers of some clouds show their card a while after they were loaded. */
const CARD_TRIES = 200;
const BETWEEN_LOOKS = 50;
/** Where the C library looks; a file of the image, over which one of /tmp is laid. */
const RESOLVER = '/etc/resolv.conf';
const RESOLVER_IN_MEMORY = '/tmp/resolv.conf';

/** How a card is set up. */
export interface CardAddress {
  readonly address: string;
  /** Bits. */
  readonly prefix: number;
  readonly router?: string | undefined;
  readonly nameservers?: readonly string[] | undefined;
  readonly mtu?: number | undefined;
}

/**
 * Brings up the loopback interface and, where the image asks for it, one other, with the address of the image's settings or
 * one of the network's DHCP server, whose lease is kept from then on. Throws INIT_NETWORK, INIT_DHCP, INIT_MOUNT.
 */
export async function configureNetwork(kernel: Kernel, network: MachineSettings['network'], log: Log): Promise<void> {
  switchCard(kernel, 'lo', 'up');
  if (network === undefined) return;
  const { interface: name } = network;
  await cardOf(name);
  if ('dhcp' in network) {
    await followDhcp(kernel, name, log);
    return;
  }
  applyAddress(kernel, name, { ...network, router: network.gateway });
  if (network.nameservers.length === 0) return;
  writeNameservers(network.nameservers);
  layResolver(kernel);
}

async function followDhcp(kernel: Kernel, name: string, log: Log): Promise<void> {
  switchCard(kernel, name, 'up');
  const options = { open: () => openDhcpPort(name), hardware: hardwareOf(name) };
  const apply = (lease: DhcpLease): void => {
    applyAddress(kernel, name, lease);
    writeNameservers(lease.nameservers);
    log('info', 'network', told(lease));
  };
  const lease = await obtainLease(options);
  apply(lease);
  layResolver(kernel);
  keepLease(
    {
      ...options,
      apply: (next) => {
        // Routes of the lease before go with it. Whatever is wrong with the next, the one after it must be heard.
        switchCard(kernel, name, 'down');
        try {
          apply(next);
        } finally {
          switchCard(kernel, name, 'up');
        }
      },
      failed: (error) => {
        log('warn', 'network-lease', { code: error instanceof FastnessError ? error.code : 'unforeseen' });
      },
    },
    lease,
  );
}

/** Sets address, mask, route and size of packets. Throws INIT_NETWORK. */
export function applyAddress(kernel: Kernel, name: string, { address, prefix, router, mtu }: CardAddress): void {
  const set = (what: string, code: number, value: Uint8Array): void =>
    kernel.networkControl(`${what} of ${name}`, code, interfaceRequest(name, value));
  if (mtu !== undefined) set('packet size', SIOCSIFMTU, u32le(mtu));
  set('address', SIOCSIFADDR, socketAddress(address));
  set('mask', SIOCSIFNETMASK, socketAddress(maskOf(prefix)));
  // On Google's network a machine is alone in its own: the router is reached because it is named as the other end.
  if (router !== undefined && prefix === 32) set('router', SIOCSIFDSTADDR, socketAddress(router));
  switchCard(kernel, name, 'up');
  if (router !== undefined) kernel.networkControl('default route', SIOCADDRT, routeRequest(router));
}

/** For the next name that is looked up: the C library sees that the file is another. */
export function writeNameservers(nameservers: readonly string[]): void {
  writeFileSync(RESOLVER_IN_MEMORY, nameservers.map((each) => `nameserver ${each}\n`).join(''));
}

/** Lays the file of the name servers over the image's, which cannot be written. Throws INIT_MOUNT. */
export function layResolver(kernel: Kernel): void {
  kernel.mount(RESOLVER_IN_MEMORY, RESOLVER, MS_BIND, '');
}

/** Taken down, a card loses its routes. Throws INIT_NETWORK. */
export function switchCard(kernel: Kernel, name: string, to: 'up' | 'down'): void {
  const flags = u16le(to === 'up' ? IFF_UP : 0);
  kernel.networkControl(`${name} ${to}`, SIOCSIFFLAGS, interfaceRequest(name, flags));
}

async function cardOf(name: string): Promise<void> {
  for (let tries = 0; tries < CARD_TRIES; tries += 1) {
    if (existsSync(`/sys/class/net/${name}`)) return;
    await sleep(BETWEEN_LOOKS);
  }
  throw new FastnessError('INIT_NETWORK', `${name} is not there.`);
}

/** 6 bytes. Throws INIT_NETWORK where the card is no Ethernet. */
export function hardwareOf(name: string): Uint8Array {
  const text = readFileSync(`/sys/class/net/${name}/address`, 'utf8').trim();
  if (!/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text))
    throw new FastnessError('INIT_NETWORK', `${name} is no Ethernet.`);
  return fromHex(text.replaceAll(':', ''));
}

function told({
  address,
  prefix,
  router,
  nameservers,
  mtu,
  server,
  seconds,
}: DhcpLease): Record<string, string | number> {
  return {
    address: `${address}/${prefix}`,
    router: router ?? 'none',
    nameservers: nameservers.join(' '),
    mtu: mtu ?? 'as it was',
    server,
    seconds: Number.isFinite(seconds) ? seconds : 'for ever',
  };
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
