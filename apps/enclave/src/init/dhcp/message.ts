import { concatBytes, u16be, u32be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/**
 * Messages of DHCP (RFC 2131, section 2; options of RFC 2132). Whoever answers is the host or its network, which is the
 * attacker: an answer decides where packets go and nothing else, since broker and clients know each other by keys. So it is
 * only kept from doing harm to this machine: every length, address and count has a limit, and what is not asked for is not read.
 */

/** A larger one does not come in one packet. */
const MAX_MESSAGE = 1500;
/** Relays may drop a smaller one (RFC 1542, section 2.1). */
const MIN_MESSAGE = 300;
const FIXED = 236;
const MAGIC = Uint8Array.of(0x63, 0x82, 0x53, 0x63);
const REQUEST = 1;
const REPLY = 2;
const ETHERNET = 1;
/** The answer goes to everybody: a machine without an address cannot be sent to. */
const BROADCAST = 0x8000;
const SNAME = [44, 108] as const;
const FILE = [108, 236] as const;

const option = Object.freeze({
  pad: 0,
  mask: 1,
  router: 3,
  nameservers: 6,
  mtu: 26,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  server: 54,
  asked: 55,
  maxSize: 57,
  renewal: 58,
  rebinding: 59,
  client: 61,
  end: 255,
});

const types = Object.freeze({ discover: 1, offer: 2, request: 3, ack: 5, nak: 6 });
const MAX_NAMESERVERS = 3;
const MIN_MTU = 576;
const MAX_MTU = 9216;
const FOREVER = 0xffff_ffff;
/** A shorter lease would make the machine ask without pause. */
const MIN_LEASE = 60;

/** What this machine says. */
export interface DhcpQuestion {
  readonly type: 'discover' | 'request';
  /** 32 bits by which the answer is known. */
  readonly transaction: number;
  /** 6 bytes. */
  readonly hardware: Uint8Array;
  /** The address that it has, when it asks for more time. */
  readonly own?: string;
  /** What it was offered, when it takes an offer. */
  readonly offered?: { readonly address: string; readonly server: string };
}

/** What a server gives. */
export interface DhcpLease {
  readonly server: string;
  readonly address: string;
  /** Bits of the network's prefix; Google's is 32. */
  readonly prefix: number;
  readonly router?: string;
  /** At most 3. */
  readonly nameservers: readonly string[];
  readonly mtu?: number;
  /** Seconds, or infinite: when it ends, when the server is asked for more, when everybody is. */
  readonly seconds: number;
  readonly renewAfter: number;
  readonly rebindAfter: number;
}

export type DhcpAnswer = { readonly type: 'offer' | 'ack'; readonly lease: DhcpLease } | { readonly type: 'nak' };

export function encodeQuestion({ type, transaction, hardware, own, offered }: DhcpQuestion): Uint8Array {
  const fixed = new Uint8Array(FIXED);
  fixed.set([REQUEST, ETHERNET, hardware.length, 0]);
  fixed.set(u32be(transaction), 4);
  fixed.set(u16be(BROADCAST), 10);
  if (own !== undefined) fixed.set(octets(own), 12);
  fixed.set(hardware, 28);
  const written: [number, Uint8Array][] = [
    [option.messageType, Uint8Array.of(types[type])],
    [option.client, concatBytes(Uint8Array.of(ETHERNET), hardware)],
    [option.maxSize, u16be(MAX_MESSAGE)],
    [option.asked, Uint8Array.of(option.mask, option.router, option.nameservers, option.mtu)],
  ];
  if (offered !== undefined)
    written.push([option.requestedAddress, octets(offered.address)], [option.server, octets(offered.server)]);
  const options = written.map(([code, value]) => concatBytes(Uint8Array.of(code, value.length), value));
  const message = concatBytes(fixed, MAGIC, ...options, Uint8Array.of(option.end));
  return concatBytes(message, new Uint8Array(Math.max(0, MIN_MESSAGE - message.length)));
}

/**
 * Reads an answer to a question of this transaction from this card. Throws INIT_DHCP saying what is wrong with it.
 */
export function decodeAnswer(bytes: Uint8Array, question: Pick<DhcpQuestion, 'transaction' | 'hardware'>): DhcpAnswer {
  if (bytes.length > MAX_MESSAGE) throw wrong(`${bytes.length} bytes`);
  if (bytes.length < FIXED + MAGIC.length) throw wrong('it is cut');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes[0] !== REPLY || bytes[1] !== ETHERNET || bytes[2] !== question.hardware.length) throw wrong('no reply');
  if (view.getUint32(4) !== question.transaction) throw wrong('another transaction');
  if (question.hardware.some((byte, index) => bytes[28 + index] !== byte)) throw wrong('for another card');
  if (MAGIC.some((byte, index) => bytes[FIXED + index] !== byte)) throw wrong('no options');
  const options = readOptions(bytes);
  const type = exact(options, option.messageType, 1)?.[0];
  if (type === types.nak) return { type: 'nak' };
  if (type !== types.offer && type !== types.ack) throw wrong(`of type ${type ?? 'none'}`);
  return { type: type === types.offer ? 'offer' : 'ack', lease: readLease(bytes.subarray(16, 20), options) };
}

function readLease(given: Uint8Array, options: ReadonlyMap<number, Uint8Array>): DhcpLease {
  const server = hostAddress(exact(options, option.server, 4), 'server');
  const address = hostAddress(given, 'address');
  if (server === undefined || address === undefined) throw wrong('without a server');
  const mask = exact(options, option.mask, 4);
  // Without a mask nothing is on this network but the router.
  const prefix = mask === undefined ? 32 : prefixOf(mask);
  const router = hostAddress(addresses(options, option.router)[0], 'router');
  if (router === address) throw wrong('it names this machine as its router');
  const nameservers = addresses(options, option.nameservers)
    .slice(0, MAX_NAMESERVERS)
    .flatMap((each) => hostAddress(each, 'name server') ?? []);
  const mtu = number(options, option.mtu, 2);
  if (mtu !== undefined && (mtu < MIN_MTU || mtu > MAX_MTU)) throw wrong(`packets of ${mtu} bytes`);
  const said = number(options, option.leaseTime, 4);
  if (said === undefined) throw wrong('without an end');
  const seconds = said === FOREVER ? Number.POSITIVE_INFINITY : Math.max(said, MIN_LEASE);
  // RFC 2131, section 4.4.5, where they are not said or not in order.
  const rebinding = number(options, option.rebinding, 4) ?? Math.floor(seconds * 0.875);
  const rebindAfter = rebinding < seconds ? Math.max(rebinding, MIN_LEASE / 2) : seconds * 0.875;
  const renewal = number(options, option.renewal, 4) ?? Math.floor(seconds / 2);
  const renewAfter = renewal < rebindAfter ? Math.max(renewal, MIN_LEASE / 2) : rebindAfter / 2;
  return {
    server,
    address,
    prefix,
    ...(router === undefined ? {} : { router }),
    nameservers,
    ...(mtu === undefined ? {} : { mtu }),
    seconds,
    renewAfter,
    rebindAfter,
  };
}

/** Options by code, those in the fields for names as well; one that comes twice is one (RFC 3396, section 7). */
function readOptions(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  readInto(options, bytes.subarray(FIXED + MAGIC.length));
  const overload = exact(options, option.overload, 1)?.[0] ?? 0;
  if (overload > 3) throw wrong(`overload ${overload}`);
  if ((overload & 1) !== 0) readInto(options, bytes.subarray(...FILE));
  if ((overload & 2) !== 0) readInto(options, bytes.subarray(...SNAME));
  return options;
}

function readInto(options: Map<number, Uint8Array>, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const code = bytes[at] ?? option.end;
    if (code === option.end) return;
    at += 1;
    if (code === option.pad) continue;
    const length = bytes[at];
    if (length === undefined || at + 1 + length > bytes.length) throw wrong(`option ${code} is cut`);
    const before = options.get(code) ?? new Uint8Array(0);
    options.set(code, concatBytes(before, bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  throw wrong('its options have no end');
}

function exact(options: ReadonlyMap<number, Uint8Array>, code: number, length: number): Uint8Array | undefined {
  const value = options.get(code);
  if (value !== undefined && value.length !== length) throw wrong(`option ${code} has ${value.length} bytes`);
  return value;
}

function number(options: ReadonlyMap<number, Uint8Array>, code: number, length: 2 | 4): number | undefined {
  return exact(options, code, length)?.reduce((value, byte) => value * 256 + byte, 0);
}

function addresses(options: ReadonlyMap<number, Uint8Array>, code: number): readonly Uint8Array[] {
  const value = options.get(code);
  if (value === undefined) return [];
  if (value.length === 0 || value.length % 4 !== 0) throw wrong(`option ${code} has ${value.length} bytes`);
  return Array.from({ length: value.length / 4 }, (_, index) => value.subarray(index * 4, index * 4 + 4));
}

/** Of one machine: neither this one's loopback nor a group of machines. */
function hostAddress(bytes: Uint8Array | undefined, what: string): string | undefined {
  if (bytes === undefined) return undefined;
  const first = bytes[0] ?? 0;
  const text = bytes.join('.');
  if (first === 0 || first === 127 || first >= 224) throw wrong(`${what} ${text}`);
  return text;
}

function prefixOf(mask: Uint8Array): number {
  const bits = [...mask].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  if (!/^1+0*$/.test(bits)) throw wrong(`mask ${mask.join('.')}`);
  return bits.lastIndexOf('1') + 1;
}

function octets(address: string): Uint8Array {
  return Uint8Array.from(address.split('.'), Number);
}

function wrong(what: string): FastnessError {
  return new FastnessError('INIT_DHCP', `An answer was refused: ${what}.`);
}
