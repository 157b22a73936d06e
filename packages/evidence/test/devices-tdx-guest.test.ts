import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyEvidence } from '@fastness/attest';
import { concatBytes, fromHex, toHex, u16le, u32be, u32le, utf8Encode } from '@fastness/codec';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { prepareDcap } from '../../attest/test/support/dcap-forge.ts';
import { vsockStream } from '../src/devices/vsock-exchange.ts';
import { openTdxGuest, type StreamAddress, type TdxGuestOptions } from '../src/index.ts';
import { buildFakeIoctl, compilerInstalled, type FakeIoctl } from './support/fake-ioctl.ts';
import { codeOf } from './support/tpm.ts';

const errno = { EINTR: 4, EIO: 5, ENXIO: 6, EBUSY: 16 };
const asked = Uint8Array.from({ length: 64 }, (_, index) => index + 3);
const quote = new Uint8Array(5000).fill(9);

/** GET_QUOTE_RESP as the service's library writes it. */
function response(fields: {
  readonly major?: number;
  readonly type?: number;
  readonly size?: number;
  readonly error?: number;
  readonly id?: Uint8Array;
  readonly quoteBytes?: number;
  readonly quote?: Uint8Array;
}): Uint8Array {
  const { major = 1, type = 1, error = 0, id = new Uint8Array(0), quote: content = quote } = fields;
  const length = 24 + id.length + content.length;
  const { size = length, quoteBytes = content.length } = fields;
  const header = [u16le(major), u16le(1), u32le(type), u32le(size), u32le(error)];
  return concatBytes(...header, u32le(id.length), u32le(quoteBytes), id, content);
}
const framed = (message: Uint8Array): Uint8Array => concatBytes(u32be(message.length), message);

describe.skipIf(!compilerInstalled)('quotes through /dev/tdx_guest', () => {
  let folder: string;
  let fake: FakeIoctl;
  let path: string;
  let closeServer = (): Promise<unknown> => Promise.resolve();
  const sockets = new Set<Socket>();

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fastness-tdx-'));
    path = join(folder, 'tdx_guest');
    writeFileSync(path, '');
    fake = buildFakeIoctl(folder, 1088);
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await closeServer();
    closeServer = () => Promise.resolve();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A module that makes reports, after some calls that fail. */
  const module = (failures: readonly number[] = [], edit: (report: Uint8Array) => void = () => {}): (() => number) => {
    let calls = 0;
    fake.answer((request, { bytes }) => {
      expect(request).toBe(0xc440_5401n);
      calls += 1;
      const failure = failures[calls - 1];
      if (failure !== undefined) return -failure;
      const report = bytes.subarray(64);
      report[0] = 0x81;
      report.set(bytes.subarray(0, 64), 128);
      edit(report);
      return 0;
    });
    return () => calls;
  };
  /** The host's service: gets the message without its length, and sends bytes as they are. */
  const service = async (
    answer: (message: Uint8Array, socket: Socket) => Promise<void> | void,
  ): Promise<StreamAddress> => {
    const name = join(folder, 'qgs.sock');
    const server = createServer((socket) => {
      sockets.add(socket);
      const parts: Uint8Array[] = [];
      socket.on('error', () => {});
      socket.on('data', (part: Uint8Array) => {
        parts.push(part);
        const bytes = concatBytes(...parts);
        const length = bytes.length < 4 ? Infinity : new DataView(bytes.buffer).getUint32(0);
        if (bytes.length >= 4 + length) void answer(bytes.slice(4), socket);
      });
    });
    closeServer = () => new Promise((resolve) => server.close(resolve));
    await new Promise<void>((resolve) => server.listen(name, resolve));
    return { bytes: concatBytes(u16le(1), utf8Encode(`${name}\0`)), name };
  };
  const collect = async (address: StreamAddress, options: TdxGuestOptions = {}) => {
    const collector = await openTdxGuest({ path, library: fake.library, service: address, pauseMs: 1, ...options });
    return await collector.collect(asked);
  };

  it('are accepted by the verifier, over the report that the module made', async () => {
    module();
    let message = new Uint8Array(0);
    const forged = await prepareDcap({ td: { reportData: asked } });
    const address = await service((request, socket) => {
      message = request.slice();
      const whole = framed(response({ id: new Uint8Array(16), quote: forged.evidence.value }));
      // In pieces, as a stream may bring them.
      for (const [from, to] of [
        [0, 2],
        [2, 30],
        [30, whole.length],
      ] as const)
        socket.write(whole.subarray(from, to));
    });
    const { evidence } = await collect(address);
    // qgs_msg_get_quote_req_t: version 1.1, type 0, the size of all, no error, the size of the report, no list.
    expect(toHex(message.subarray(0, 24))).toBe('010001000000000018040000000000000004000000000000');
    expect(toHex(message.subarray(24 + 128, 24 + 192))).toBe(toHex(asked));
    const { claims } = await verifyEvidence({ ...forged, evidence, expectedReportData: asked });
    expect(claims).toMatchObject({ tee: 'tdx', simulated: false, reportData: toHex(asked) });
  });

  it('are asked for again while the module is busy, and not when it refuses', async () => {
    const address = await service((_, socket) => void socket.write(framed(response({}))));
    const calls = module([errno.EBUSY, errno.EINTR]);
    expect(toHex((await collect(address)).evidence.value)).toBe(toHex(quote));
    expect(calls()).toBe(3);
    const refusals: readonly [number, string][] = [
      [errno.EIO, 'EVIDENCE_REFUSED'],
      [errno.ENXIO, 'EVIDENCE_REFUSED'],
      [errno.EBUSY, 'EVIDENCE_TIMEOUT'],
    ];
    for (const [number, code] of refusals) {
      module(Array.from({ length: 8 }, () => number));
      expect(await codeOf(collect(address))).toBe(code);
    }
    module([], (report) => report.fill(0, 128, 192));
    expect(await codeOf(collect(address))).toBe('EVIDENCE_RESPONSE');
    module([], (report) => report.fill(0, 0, 1));
    expect(await codeOf(collect(address))).toBe('EVIDENCE_RESPONSE');
    module();
    expect(await codeOf(collect(address, { path: join(folder, 'missing') }))).toBe('EVIDENCE_UNREACHABLE');
    const short = (await openTdxGuest({ path, library: fake.library })).collect(new Uint8Array(32));
    expect(await codeOf(short)).toBe('EVIDENCE_REPORT_DATA');
  });

  it.each<[string, Uint8Array, string]>([
    ['an error', framed(response({ error: 0x12002 })), 'EVIDENCE_REFUSED'],
    [
      'an error alone',
      framed(concatBytes(u16le(1), u16le(1), u32le(1), u32le(16), u32le(0x12002))),
      'EVIDENCE_REFUSED',
    ],
    ['another version', framed(response({ major: 2 })), 'EVIDENCE_RESPONSE'],
    ['another type', framed(response({ type: 3 })), 'EVIDENCE_RESPONSE'],
    ['another size', framed(response({ size: 5025 })), 'EVIDENCE_RESPONSE'],
    ['an empty quote', framed(response({ quote: new Uint8Array(0) })), 'EVIDENCE_RESPONSE'],
    ['a longer quote than it sends', framed(response({ quoteBytes: 5001 })), 'EVIDENCE_RESPONSE'],
    ['bytes behind the quote', framed(response({ quoteBytes: 4999 })), 'EVIDENCE_RESPONSE'],
    ['no quote', framed(fromHex('01000100010000001000000000000000')), 'EVIDENCE_RESPONSE'],
    ['less than a header', framed(new Uint8Array(15)), 'EVIDENCE_RESPONSE'],
    ['far too much', u32be(0x2_0001), 'EVIDENCE_RESPONSE'],
  ])('are refused when the service sends %s', async (_, bytes, code) => {
    module();
    const address = await service((_message, socket) => void socket.write(bytes));
    expect(await codeOf(collect(address))).toBe(code);
  });

  it('are given up when the service ends early, says nothing, or is not there', async () => {
    module();
    const ends = await service((_, socket) => void socket.end(framed(response({})).subarray(0, 100)));
    expect(await codeOf(collect(ends))).toBe('EVIDENCE_RESPONSE');
    const gone = { bytes: concatBytes(u16le(1), utf8Encode(`${join(folder, 'nobody.sock')}\0`)), name: 'nobody' };
    expect(await codeOf(collect(gone))).toBe('EVIDENCE_UNREACHABLE');
  });

  it('are given up when nothing comes', async () => {
    module();
    const silent = await service(() => {});
    expect(await codeOf(collect(silent, { timeoutMs: 20 }))).toBe('EVIDENCE_TIMEOUT');
  });

  it('are asked of port 4050 of the host', async () => {
    // struct sockaddr_vm: AF_VSOCK, reserved, port, context identifier, zeros.
    expect(toHex(vsockStream(2, 4050).bytes)).toBe('28000000d20f00000200000000000000');
    const { detail } = await (await openTdxGuest({ path })).detect();
    expect(detail).toContain('vsock 2:4050');
  });
});
