import { fromHex } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import { parseEventLog, replayDigests, replayToRtmrs, verifyEventLog } from '../src/event-log/index.ts';
import { parse } from '../src/formats/tdx/index.ts';
import { CMW_EVIDENCE, TDX_QUOTE_TYPE } from '../src/index.ts';
import { codeOf } from './support/errors.ts';
import { readVector, readVectorText, vectorsPresent } from './support/vectors.ts';

/** Logs of TPMs are replayed with their quotes, in tpm-vectors.test.ts. */
describe.skipIf(!vectorsPresent)('recorded event logs of TDs', () => {
  const folder = 'tdx/google__go-tdx-guest/testing/testdata/ccel';

  it('of COS 113 replay to the registers of their quote', async () => {
    const quote = readVector(`${folder}/cos-113-tdx-quote.dat`);
    const { body } = parse({ type: TDX_QUOTE_TYPE, value: quote, ind: CMW_EVIDENCE });
    const ccel = readVector(`${folder}/ccel_data.dat`);
    const events = await verifyEventLog({ log: ccel, rtmrs: body.rtmrs, registers: [0, 1, 2, 3] });
    expect(events.length).toBeGreaterThan(20);
    const log = parseEventLog(ccel, { padding: 'accepted' });
    expect(log).toMatchObject({ format: 'crypto-agile', banks: ['SHA-384'] });
    expect(await replayToRtmrs(log)).toEqual(body.rtmrs);
    // Its area is filled up, which the log of a TPM is not.
    expect(await codeOf(() => parseEventLog(ccel))).toMatch(/^EVENT_LOG_/);
    // Any digest changed, and it says nothing any more.
    const changed = ccel.slice();
    const at = 4 + 4 + 20 + 4 + (new DataView(ccel.buffer, ccel.byteOffset).getUint32(28, true) + 16);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const attempt = verifyEventLog({ log: changed, rtmrs: body.rtmrs, registers: [0, 1, 2, 3] });
    expect(await codeOf(attempt)).toBe('EVENT_LOG_MISMATCH');
  });

  it('of dstack replay to RTMR3 and the others', async () => {
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
