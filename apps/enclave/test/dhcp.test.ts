import { randomBytes } from 'node:crypto';
import { concatBytes, u16be, u32be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import {
  decodeAnswer,
  dhcpPayload,
  encodeQuestion,
  keepLease,
  obtainLease,
  renewLease,
  type DhcpLease,
  type DhcpPort,
} from '../src/init/dhcp/index.ts';
import { applyAddress } from '../src/init/network.ts';
import type { Kernel } from '../src/init/kernel.ts';
import { parseMachineSettings } from '../src/init/settings.ts';
import { codeOf, codeOfAsync } from './codes.ts';

const hardware = Uint8Array.of(2, 0, 0, 0, 0, 7);
const question = { transaction: 0x01020304, hardware };
const octets = (address: string): Uint8Array => Uint8Array.from(address.split('.'), Number);
type Options = Readonly<Record<number, Uint8Array | undefined>>;

const usual: Options = {
  53: Uint8Array.of(2),
  54: octets('10.0.0.1'),
  51: u32be(3600),
  1: octets('255.255.255.0'),
  3: octets('10.0.0.1'),
  6: concatBytes(octets('10.0.0.2'), octets('10.0.0.3')),
  26: u16be(1460),
  // Never read: a host name, routes, time servers, a boot file.
  12: new Uint8Array([101]),
  121: Uint8Array.of(0, 10, 0, 0, 66),
  42: octets('10.0.0.66'),
  67: new Uint8Array([47]),
};

/** An answer as a server writes it (RFC 2131, section 2). */
function answer(
  options: Options = {},
  change: { address?: string; edit?: (message: Uint8Array) => void } = {},
): Uint8Array {
  const fixed = new Uint8Array(240);
  fixed.set([2, 1, 6, 0, ...u32be(question.transaction)]);
  fixed.set(octets(change.address ?? '10.0.0.9'), 16);
  fixed.set(hardware, 28);
  fixed.set([0x63, 0x82, 0x53, 0x63], 236);
  change.edit?.(fixed);
  const written = Object.entries({ ...usual, ...options }).flatMap(([code, value]) =>
    value === undefined ? [] : [Uint8Array.of(Number(code), value.length), value],
  );
  return concatBytes(fixed, ...written, Uint8Array.of(255));
}

const lease: DhcpLease = {
  server: '10.0.0.1',
  address: '10.0.0.9',
  prefix: 24,
  router: '10.0.0.1',
  nameservers: ['10.0.0.2', '10.0.0.3'],
  mtu: 1460,
  seconds: 3600,
  renewAfter: 1800,
  rebindAfter: 3150,
};

describe('messages of DHCP', () => {
  it('give address, routes, name servers and size of packets, and nothing else', () => {
    expect(decodeAnswer(answer(), question)).toEqual({ type: 'offer', lease });
    expect(decodeAnswer(answer({ 53: Uint8Array.of(6) }), question)).toEqual({ type: 'nak' });
    const least = decodeAnswer(answer({ 1: undefined, 3: undefined, 6: undefined, 26: undefined }), question);
    expect(least).toMatchObject({ lease: { prefix: 32, nameservers: [] } });
    expect(least).not.toHaveProperty('lease.router');
  });

  it('cannot make the machine ask without pause, nor read more than three name servers', () => {
    const short = decodeAnswer(answer({ 51: u32be(1), 58: u32be(0), 59: u32be(0) }), question);
    expect(short).toMatchObject({ lease: { seconds: 60, renewAfter: 30, rebindAfter: 30 } });
    const servers = concatBytes(...[1, 2, 3, 4].map((last) => octets(`10.0.0.${last}`)));
    expect(decodeAnswer(answer({ 6: servers }), question)).toMatchObject({
      lease: { nameservers: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] },
    });
    const forever = decodeAnswer(answer({ 51: u32be(0xffff_ffff) }), question);
    expect(forever).toMatchObject({ lease: { seconds: Number.POSITIVE_INFINITY } });
  });

  const edited = (at: number, value: number) => answer({}, { edit: (message) => message.fill(value, at, at + 1) });
  it.each<[string, string, () => Uint8Array]>([
    ['longer than a packet', '1501 bytes', () => new Uint8Array(1501)],
    ['cut', 'it is cut', () => answer().subarray(0, 239)],
    ['a question', 'no reply', () => edited(0, 1)],
    ['of another kind of card', 'no reply', () => edited(1, 6)],
    ['of another transaction', 'another transaction', () => edited(7, 5)],
    ['for another card', 'for another card', () => edited(33, 8)],
    ['without the mark of options', 'no options', () => edited(239, 0)],
    ['without an end', 'its options have no end', () => answer().subarray(0, -1)],
    [
      'with an option that is cut',
      'option 250 is cut',
      () => concatBytes(answer().subarray(0, -1), Uint8Array.of(250, 9)),
    ],
    ['of no type', 'of type none', () => answer({ 53: undefined })],
    ['of another type', 'of type 1', () => answer({ 53: Uint8Array.of(1) })],
    ['with a type of two bytes', 'option 53 has 2 bytes', () => answer({ 53: Uint8Array.of(2, 2) })],
    ['without a server', 'without a server', () => answer({ 54: undefined })],
    ['of this machine itself', 'server 127.0.0.1', () => answer({ 54: octets('127.0.0.1') })],
    ['without an address', 'address 0.0.0.0', () => answer({}, { address: '0.0.0.0' })],
    ['with a loopback address', 'address 127.0.0.1', () => answer({}, { address: '127.0.0.1' })],
    ['with the address of a group', 'address 224.0.0.1', () => answer({}, { address: '224.0.0.1' })],
    ['with a mask that has a hole', 'mask 255.0.255.0', () => answer({ 1: octets('255.0.255.0') })],
    ['with everything on its network', 'mask 0.0.0.0', () => answer({ 1: octets('0.0.0.0') })],
    ['with its own address as router', 'it names this machine', () => answer({ 3: octets('10.0.0.9') })],
    ['with a loopback router', 'router 127.0.0.1', () => answer({ 3: octets('127.0.0.1') })],
    ['with half a router', 'option 3 has 6 bytes', () => answer({ 3: new Uint8Array(6) })],
    ['with a loopback name server', 'name server 127.0.0.1', () => answer({ 6: octets('127.0.0.1') })],
    ['with packets too small', 'packets of 575 bytes', () => answer({ 26: u16be(575) })],
    ['with packets too large', 'packets of 9217 bytes', () => answer({ 26: u16be(9217) })],
    ['for no time that is said', 'without an end', () => answer({ 51: undefined })],
  ])('are refused when they are %s', (_what, why, make) => {
    expect(codeOf(() => decodeAnswer(make(), question))).toBe('INIT_DHCP');
    expect(() => decodeAnswer(make(), question)).toThrow(why);
  });

  it('are read or refused, whatever comes', () => {
    const whole = answer();
    for (let round = 0; round < 1000; round += 1) {
      const bytes = whole.slice();
      for (const [at, value] of Array.from({ length: 4 }, () => [
        randomBytes(2).readUInt16BE(),
        randomBytes(1)[0] ?? 0,
      ]))
        bytes[(at ?? 0) % bytes.length] = value ?? 0;
      try {
        decodeAnswer(bytes, question);
      } catch (error) {
        expect(error).toBeInstanceOf(FastnessError);
      }
      dhcpPayload(bytes);
    }
  });

  it('come out of packets from a server to a client alone', () => {
    const payload = answer();
    const packet = (edit: (view: DataView) => void = () => {}): Uint8Array => {
      const header = new Uint8Array(28);
      const view = new DataView(header.buffer);
      header[0] = 0x45;
      view.setUint16(2, 28 + payload.length);
      header[9] = 17;
      view.setUint16(20, 67);
      view.setUint16(22, 68);
      view.setUint16(24, 8 + payload.length);
      edit(view);
      return concatBytes(header, payload);
    };
    expect(dhcpPayload(packet())).toEqual(payload);
    expect(dhcpPayload(concatBytes(packet(), new Uint8Array(9)))).toEqual(payload);
    const wrong: ((view: DataView) => void)[] = [
      (view) => view.setUint8(0, 0x65),
      (view) => view.setUint8(0, 0x44),
      (view) => view.setUint16(2, 29 + payload.length),
      (view) => view.setUint16(2, 27),
      (view) => view.setUint16(6, 0x2000),
      (view) => view.setUint16(6, 1),
      (view) => view.setUint8(9, 6),
      (view) => view.setUint16(20, 68),
      (view) => view.setUint16(22, 67),
      (view) => view.setUint16(24, 7),
      (view) => view.setUint16(24, 9 + payload.length),
    ];
    for (const edit of wrong) expect(dhcpPayload(packet(edit))).toBeUndefined();
    expect(dhcpPayload(packet().subarray(0, 27))).toBeUndefined();
  });

  it('ask for what is used alone, and are as long as relays want them', () => {
    const asked = encodeQuestion({
      ...question,
      type: 'request',
      offered: { address: '10.0.0.9', server: '10.0.0.1' },
    });
    expect(asked.length).toBe(300);
    const text = Buffer.from(asked).toString('hex');
    for (const option of ['350103', '3d0701020000000007', '37040103061a', '32040a000009', '36040a000001'])
      expect(text).toContain(option);
  });
});

/** A network whose servers answer each question with what the test says. */
function network(answers: ((question: Buffer, server: string | undefined) => readonly Uint8Array[])[]) {
  const heard: { readonly type: number; readonly server: string | undefined; readonly text: string }[] = [];
  let open = 0;
  const port = (): DhcpPort => {
    open += 1;
    const pending: Uint8Array[] = [];
    return {
      send: (message, server) => {
        const bytes = Buffer.from(message);
        heard.push({ type: bytes[242] ?? 0, server, text: bytes.toString('hex') });
        pending.push(...(answers.shift()?.(bytes, server) ?? []));
      },
      receive: () => pending.shift(),
      close: () => {
        open -= 1;
      },
    };
  };
  return { options: { open: port, hardware, tries: [1, 1] }, heard, open: () => open };
}

const reply =
  (type: number, changes: Options = {}, address = '10.0.0.9') =>
  (asked: Buffer): readonly Uint8Array[] => [
    answer(
      { ...changes, 53: Uint8Array.of(type) },
      { address, edit: (message) => message.set(asked.subarray(4, 8), 4) },
    ),
  ];
const offer = reply(2);
const ack = reply(5);
const nak = reply(6);

describe('a lease', () => {
  it('is what the first server offers, after answers that are not for this machine', async () => {
    const lies = (asked: Buffer) => [
      ...Array.from({ length: 40 }, () => answer()),
      ...reply(2, {}, '127.0.0.1')(asked),
      ...offer(asked),
    ];
    const { options, heard, open } = network([lies, ack]);
    expect(await obtainLease({ ...options, tries: [60_000] })).toEqual(lease);
    expect(heard.map(({ type }) => type)).toEqual([1, 3]);
    expect(heard[1]?.text).toContain('32040a000009');
    expect(open()).toBe(0);
  });

  it('is asked for again when it was taken back or changed, and not for ever', async () => {
    expect(await obtainLease(network([offer, nak, offer, ack]).options)).toEqual(lease);
    for (const [why, answers] of [
      ['the server took back its offer', [offer, nak, offer, nak]],
      ['another address than was offered', [offer, reply(5, {}, '10.0.0.8'), offer, reply(5, {}, '10.0.0.8')]],
      ['No answer in 1 ms', []],
      ['router 127.0.0.1', [reply(2, { 3: octets('127.0.0.1') }), reply(2, { 3: octets('127.0.0.1') })]],
    ] as const) {
      const { options, open } = network([...answers]);
      await expect(obtainLease(options)).rejects.toThrow(why);
      expect(open()).toBe(0);
    }
  });

  it('is renewed by its server, or by anybody, for the same address', async () => {
    const { options, heard } = network([ack, ack, nak, reply(5, {}, '10.0.0.8'), () => []]);
    expect(await renewLease(options, lease, 'server')).toEqual(lease);
    expect(await renewLease(options, lease, 'everybody')).toEqual(lease);
    expect(heard.map(({ server }) => server)).toEqual(['10.0.0.1', undefined]);
    expect(await renewLease(options, lease, 'server')).toBeUndefined();
    expect(await codeOfAsync(renewLease(options, lease, 'server'))).toBe('INIT_DHCP');
    expect(await codeOfAsync(renewLease(options, lease, 'server'))).toBe('INIT_DHCP');
  });

  it('is kept: asked for at half, of everybody at seven eighths, anew when it is over', async () => {
    const { options, heard } = network([
      ack,
      () => [],
      () => [],
      nak,
      reply(2, {}, '10.0.0.8'),
      reply(5, {}, '10.0.0.8'),
    ]);
    let time = 0;
    let next: { readonly after: number; readonly run: () => void } | undefined;
    const applied: string[] = [];
    const failures: unknown[] = [];
    const stop = keepLease(
      {
        ...options,
        apply: ({ address }) => void applied.push(address),
        failed: (error) => void failures.push(error),
        now: () => time,
        later: (after, run) => {
          next = { after, run };
          return () => {
            next = undefined;
          };
        },
      },
      lease,
    );
    /** Lets the timer go off, so late, and waits until the next is set. */
    const turn = async (late = 0): Promise<number> => {
      const due = next;
      if (due === undefined) throw new Error('No timer.');
      next = undefined;
      time += due.after + late;
      due.run();
      await expect.poll(() => next, { timeout: 60_000 }).toBeDefined();
      return due.after;
    };
    expect(await turn()).toBe(1_800_000);
    expect(applied).toEqual([]);
    // Its server is silent: again a minute later, and then of everybody, since it is late.
    expect(await turn()).toBe(1_800_000);
    expect(await turn(1_400_000)).toBe(60_000);
    expect(failures).toHaveLength(2);
    expect(heard.map(({ server }) => server)).toEqual(['10.0.0.1', '10.0.0.1', undefined]);
    // Refused: it starts anew, and the card gets the other address.
    await turn();
    expect(applied).toEqual(['10.0.0.8']);
    expect(heard.map(({ type }) => type)).toEqual([3, 3, 3, 3, 1, 3]);
    stop();
    expect(next).toBeUndefined();
  });
});

describe('the network of a machine', () => {
  const settings = (network: unknown): unknown =>
    parseMachineSettings({ modules: [], network, modelDisk: '/dev/vda', modelMiB: 1 }).network;

  it('is what the measured settings say: an address, or whatever DHCP gives, not both', () => {
    expect(settings({ interface: 'eth0', dhcp: true })).toEqual({ interface: 'eth0', dhcp: true });
    const fixed = { interface: 'eth0', address: '10.0.0.9', prefix: 24 };
    expect(settings(fixed)).toEqual({ ...fixed, nameservers: [] });
    for (const wrong of [
      { ...fixed, dhcp: true },
      { interface: 'eth0' },
      { interface: 'eth0', dhcp: false },
      { ...fixed, mtu: 575 },
    ])
      expect(codeOf(() => settings(wrong))).toBe('INIT_SETTINGS');
  });

  it('is set with the size of packets first, and a router outside its prefix as the other end', () => {
    const asked: number[] = [];
    const kernel = {
      networkControl: (_name: string, code: number) => void asked.push(code),
    } as Partial<Kernel> as Kernel;
    applyAddress(kernel, 'eth0', { address: '10.0.0.9', prefix: 24, router: '10.0.0.1' });
    // Address, mask, up, route.
    expect(asked.splice(0)).toEqual([0x8916, 0x891c, 0x8914, 0x890b]);
    applyAddress(kernel, 'eth0', { address: '10.0.0.9', prefix: 32, router: '10.0.0.1', mtu: 1460 });
    expect(asked).toEqual([0x8922, 0x8916, 0x891c, 0x8918, 0x8914, 0x890b]);
  });
});
