import { concatBytes, fromHex, toHex, utf8Encode } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import { parseEventLog, replayDigests, verifyEventLog } from '../src/event-log/index.ts';
import { parse } from '../src/formats/tdx/index.ts';
import { CMW_EVIDENCE, TDX_QUOTE_TYPE } from '../src/index.ts';
import { codeOf } from './support/errors.ts';
import { readVector, readVectorText, vectorsPresent } from './support/vectors.ts';

const u32 = (value: number) => Uint8Array.of(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24);
const u16 = (value: number) => Uint8Array.of(value & 0xff, value >> 8);
const spec = concatBytes(utf8Encode('Spec ID Event03\0'), new Uint8Array(8));
const header = concatBytes(u32(1), u32(3), new Uint8Array(20), u32(spec.length), spec);
const digest = (fill: number) => new Uint8Array(48).fill(fill);

function event(register: number, fill: number, options: { type?: number; algorithm?: number } = {}): Uint8Array {
  const { type = 0x8000_0003, algorithm = 0x0c } = options;
  const data = utf8Encode(`event ${fill}`);
  return concatBytes(u32(register), u32(type), u32(1), u16(algorithm), digest(fill), u32(data.length), data);
}

const end = new Uint8Array(64).fill(0xff);
const log = concatBytes(header, event(1, 1), event(2, 2), event(1, 3), event(1, 9, { type: 3 }), end);
const zeros = '00'.repeat(48);

async function registersOf(): Promise<string[]> {
  return [
    await replayDigests([toHex(digest(1)), toHex(digest(3))]),
    await replayDigests([toHex(digest(2))]),
    zeros,
    zeros,
  ];
}

describe('an event log', () => {
  it('replays to the registers', async () => {
    const rtmrs = await registersOf();
    const events = await verifyEventLog({ log, rtmrs, registers: [0, 1, 2, 3] });
    expect(events.map(({ register }) => register)).toEqual([1, 2, 1]);
    expect(rtmrs[0]).toHaveLength(96);
    const first = await crypto.subtle.digest('SHA-384', concatBytes(new Uint8Array(48), digest(2)));
    expect(rtmrs[1]).toBe(toHex(new Uint8Array(first)));
  });

  it('returns only events of registers that were compared', async () => {
    const [first = '', second = ''] = await registersOf();
    const events = await verifyEventLog({ log, rtmrs: [first, zeros, zeros, zeros], registers: [0] });
    expect(events.map(({ register }) => register)).toEqual([1, 1]);
    const attempt = verifyEventLog({ log, rtmrs: [first, zeros], registers: [1] });
    expect(await codeOf(attempt)).toBe('EVENT_LOG_MISMATCH');
    expect(await codeOf(verifyEventLog({ log, rtmrs: [second], registers: [0] }))).toBe('EVENT_LOG_MISMATCH');
    expect(await codeOf(verifyEventLog({ log, rtmrs: [first], registers: [1] }))).toBe('EVENT_LOG_MISMATCH');
    expect(await codeOf(verifyEventLog({ log, rtmrs: [first], registers: [] }))).toBe('ATTEST_ARGUMENT_INVALID');
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['no header', event(1, 1)],
    ['another header', concatBytes(u32(1), u32(3), new Uint8Array(20), u32(16), utf8Encode('Spec ID Event02\0'))],
    ['an unknown algorithm', concatBytes(header, event(1, 1, { algorithm: 0x12 }))],
    ['an unknown register', concatBytes(header, event(99, 1))],
    ['an end inside an event', concatBytes(header, event(1, 1).subarray(0, -1))],
    ['too many digests', concatBytes(header, u32(1), u32(1), u32(0xffff_ffff))],
    ['a huge log', new Uint8Array((4 << 20) + 1)],
  ])('is refused with %s', async (_, bytes) => {
    expect(await codeOf(() => parseEventLog(bytes))).toBe('EVENT_LOG_MALFORMED');
  });

  it('needs SHA-384 digests', async () => {
    const sha256 = concatBytes(u32(1), u32(1), u32(1), u16(0x0b), new Uint8Array(32), u32(0));
    const attempt = verifyEventLog({ log: concatBytes(header, sha256), rtmrs: [zeros], registers: [0] });
    expect(await codeOf(attempt)).toBe('EVENT_LOG_MALFORMED');
    expect(await codeOf(replayDigests(['00']))).toBe('EVENT_LOG_MALFORMED');
  });
});

describe.skipIf(!vectorsPresent)('recorded event logs', () => {
  const folder = 'tdx/google__go-tdx-guest/testing/testdata/ccel';

  it('of COS 113 replays to the registers of its quote', async () => {
    const quote = readVector(`${folder}/cos-113-tdx-quote.dat`);
    const { body } = parse({ type: TDX_QUOTE_TYPE, value: quote, ind: CMW_EVIDENCE });
    const ccel = readVector(`${folder}/ccel_data.dat`);
    const events = await verifyEventLog({ log: ccel, rtmrs: body.rtmrs, registers: [0, 1, 2, 3] });
    expect(events.length).toBeGreaterThan(20);
    // Any digest changed, and it says nothing any more.
    const changed = ccel.slice();
    const at = 4 + 4 + 20 + 4 + (new DataView(ccel.buffer, ccel.byteOffset).getUint32(28, true) + 16);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const attempt = verifyEventLog({ log: changed, rtmrs: body.rtmrs, registers: [0, 1, 2, 3] });
    expect(await codeOf(attempt)).toBe('EVENT_LOG_MISMATCH');
  });

  it('of dstack replays to RTMR3', async () => {
    const report: unknown = JSON.parse(
      readVectorText('tdx/Dstack-TEE__dstack/dstack/verifier/fixtures/quote-report.json'),
    );
    const { quote, event_log: text } = report as { quote: string; event_log: string };
    const entries = JSON.parse(text) as { imr: number; digest: string }[];
    const { body } = parse({ type: TDX_QUOTE_TYPE, value: fromHex(quote), ind: CMW_EVIDENCE });
    for (const register of [0, 1, 2, 3] as const) {
      const digests = entries.filter(({ imr }) => imr === register).map((entry) => entry.digest);
      expect(await replayDigests(digests)).toBe(body.rtmrs[register]);
    }
  });
});
