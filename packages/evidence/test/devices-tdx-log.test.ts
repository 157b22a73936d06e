import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TDX_EVIDENCE_TYPE, TDX_QUOTE_TYPE, verifyEvidence, type Cmw } from '@fastness/attest';
import { parseEventLog, replayToRtmrs, rtmrEvents } from '@fastness/attest/event-log';
import { parse } from '@fastness/attest/formats/tdx';
import { concatBytes, fromHex, toHex, utf8Encode } from '@fastness/codec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareDcap, reportData } from '../../attest/test/support/dcap-forge.ts';
import { goodBoot, logOf } from '../../attest/test/support/tdx-boot.ts';
import { readVector, vectorsPresent } from '../../attest/test/support/vectors.ts';
import {
  encodeRuntimeEvent,
  openConfigfsTsm,
  openTdxGuest,
  openTdxLog,
  type RuntimeEvent,
  type TdxLogOptions,
} from '../src/index.ts';
import { completeEndorsements } from '../src/endorsements/index.ts';
import { codeOf } from './support/tpm.ts';

let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'fastness-ccel-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

let count = 0;
async function folder(): Promise<string> {
  count += 1;
  const path = join(base, `${count}`);
  await mkdir(path);
  return path;
}

/** A table as ACPI has it: 36 bytes of header, type and subtype, room, length and address of the area. */
function table(edit: (bytes: Uint8Array) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(56);
  bytes.set(utf8Encode('CCEL'));
  bytes[4] = 56;
  bytes[36] = 2;
  edit(bytes);
  return bytes;
}

/** What firmware extends, and nothing of the enclave. */
const boot = goodBoot.filter(([register]) => register !== 3);
const area = await logOf(boot);
async function files(data: Uint8Array | undefined = area, content = table()): Promise<TdxLogOptions> {
  const path = await folder();
  const [tablePath, dataPath] = [join(path, 'CCEL'), join(path, 'data')];
  await writeFile(tablePath, content);
  if (data !== undefined) await writeFile(dataPath, data);
  return { tablePath, dataPath };
}

const sha384 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha384').update(bytes).digest());
/** What the kernel does with a write to the register's file. */
const writeDigest = async (path: string, digest: Uint8Array): Promise<void> =>
  writeFile(path, sha384(concatBytes(new Uint8Array(await readFile(path)), digest)));
async function register(): Promise<string> {
  const path = join(await folder(), 'rtmr3');
  await writeFile(path, new Uint8Array(48));
  return path;
}

const configuration: RuntimeEvent = { kind: 'configuration', digest: new Uint8Array(32).fill(1) };
const release: RuntimeEvent = { kind: 'release', digest: new Uint8Array(32).fill(2) };
const digestOf = (event: RuntimeEvent): string => toHex(sha384(encodeRuntimeEvent(event)));

/** A trust domain that booted as its log says, and quotes what its register holds. */
async function trustDomain(eventLog: TdxLogOptions, section: object) {
  const path = await register();
  const booted = (await replayToRtmrs(parseEventLog(area, { padding: 'accepted' }))).slice(0, 3).map(fromHex);
  const prepared = async () => {
    const rtmrs = [...booted, new Uint8Array(await readFile(path))];
    return await prepareDcap({ td: { rtmrs }, section });
  };
  const collector = await openConfigfsTsm({
    root: await folder(),
    makeEntry: async (entry) => {
      await mkdir(entry);
      await writeFile(join(entry, 'provider'), 'tdx_guest\n');
      await writeFile(join(entry, 'generation'), '0\n');
      await writeFile(join(entry, 'inblob'), '');
      await writeFile(join(entry, 'outblob'), (await prepared()).evidence.value);
    },
    rtmr: { path, writeDigest },
    eventLog,
  });
  if (collector === undefined) throw new Error('no collector');
  const verify = async (evidence: Cmw) => verifyEvidence({ ...(await prepared()), evidence });
  return { collector, verify };
}

describe('the event log of a trust domain', () => {
  const pinned = {
    events: {
      3: [
        { name: 'configuration', digests: [digestOf(configuration)] },
        { name: 'release', digests: [digestOf(release)] },
      ],
    },
  };

  it('goes with the quote, with the events of the run time behind it, and is accepted', async () => {
    const { collector, verify } = await trustDomain(await files(), pinned);
    expect((await collector.detect()).detail).toMatch(/, event log of \d+ bytes$/);
    for (const event of [configuration, release]) await collector.extend?.(event);
    const { evidence } = await collector.collect(reportData);
    expect(evidence.type).toBe(TDX_EVIDENCE_TYPE);
    const { claims } = await verify(evidence);
    expect(claims).toMatchObject({
      eventLog: { events: boot.length + 2, replayedRtmrs: [0, 1, 2, 3], named: { 3: ['configuration', 'release'] } },
    });
    const { eventLog } = parse(evidence);
    const events = eventLog === undefined ? [] : rtmrEvents(eventLog, 3);
    expect(events.map(({ data }) => toHex(data))).toEqual(
      [configuration, release].map((event) => toHex(encodeRuntimeEvent(event))),
    );
  });

  it('names the release where the enclave asked for the key of another', async () => {
    const { collector, verify } = await trustDomain(await files(), pinned);
    await collector.extend?.(configuration);
    await collector.extend?.({ ...release, digest: new Uint8Array(32).fill(3) });
    const refusal: unknown = await verify((await collector.collect(reportData)).evidence).catch((e: unknown) => e);
    expect(refusal).toMatchObject({
      code: 'EVENT_LOG_EVENTS_NOT_ALLOWED',
      detail: expect.stringContaining('event 2 of RTMR3, release: ') as unknown,
    });
  });

  it('and its quote are fetched endorsements for like a quote alone', async () => {
    const { collector } = await trustDomain(await files(), {});
    const { evidence } = await collector.collect(reportData);
    const { endorsements, now } = await prepareDcap();
    const refuse = () => Promise.reject(new Error('Nothing is missing.'));
    const source = { get: refuse, anchors: {} } as unknown as Parameters<typeof completeEndorsements>[0]['source'];
    const completed = await completeEndorsements({ evidence, endorsements, source, now });
    expect(completed.endorsements).toEqual(endorsements);
  });

  it.each<[string, () => Promise<TdxLogOptions>, RegExp]>([
    [
      'there is none',
      async () => ({ tablePath: join(base, 'no'), dataPath: join(base, 'no') }),
      /the kernel shows none/,
    ],
    [
      'its area is not there',
      async () => files(undefined).then((given) => ({ ...given, dataPath: join(base, 'no') })),
      /shows none/,
    ],
    [
      'its table is another',
      () =>
        files(
          area,
          table((bytes) => bytes.set(utf8Encode('SSDT'))),
        ),
      /no table of a log of TDX/,
    ],
    [
      'its table is of SEV',
      () =>
        files(
          area,
          table((bytes) => bytes.fill(1, 36, 37)),
        ),
      /no table of a log of TDX/,
    ],
    ['its table is cut short', () => files(area, table().slice(0, 55)), /no table of a log of TDX/],
    ['its table is longer', () => files(area, new Uint8Array(57)), /no table of a log of TDX/],
    ['it is cut short', () => files(area.slice(0, 100)), /EVENT_LOG|TCG format/],
    ['its area is empty', () => files(new Uint8Array(0)), /TCG format/],
    ['its area is endless', () => files(new Uint8Array((4 << 20) + 1)), /more than/],
    [
      'it is larger than what is sent',
      async () => files(await logOf([...boot, [0, 'large', new Uint8Array(256 << 10)]])),
      /at most 262144 are sent/,
    ],
  ])('is left out when %s, and the quote goes alone', async (_, given, why) => {
    const { collector, verify } = await trustDomain(await given(), {});
    expect((await collector.detect()).detail).toMatch(why);
    await collector.extend?.(configuration);
    const { evidence } = await collector.collect(reportData);
    expect(evidence.type).toBe(TDX_QUOTE_TYPE);
    expect((await verify(evidence)).claims).not.toHaveProperty('eventLog');
    const needing = await trustDomain(await given(), { eventLog: 'required' });
    const attempt = needing.verify((await needing.collector.collect(reportData)).evidence);
    expect(await codeOf(attempt)).toBe('EVENT_LOG_MISSING');
  });

  it('belongs to the registers of its quote: nothing is extended while one is made', async () => {
    const path = await register();
    const log = await openTdxLog({ rtmr: { path, writeDigest }, eventLog: await files() });
    let begun = (): void => {};
    let end = (): void => {};
    const started = new Promise<void>((resolve) => (begun = resolve));
    const held = new Promise<void>((resolve) => (end = resolve));
    const first = log.quoted(async () => {
      begun();
      await held;
      return toHex(new Uint8Array(await readFile(path)));
    });
    await started;
    const extended = log.extend?.(configuration);
    const second = log.quoted(async () => toHex(new Uint8Array(await readFile(path))));
    end();
    await extended;
    const rtmr3 = async (bytes: Uint8Array = new Uint8Array()): Promise<string> =>
      (await replayToRtmrs(parseEventLog(bytes)))[3];
    const quotes = await Promise.all([first, second]);
    for (const { made, eventLog } of quotes) expect(made).toBe(await rtmr3(eventLog));
    expect(quotes[0].made).toBe('00'.repeat(48));
    expect(quotes[1].made).not.toBe('00'.repeat(48));
  });

  it('has no event that could not be extended, and later quotes are still made', async () => {
    const refuse = (): Promise<void> => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
    const log = await openTdxLog({ rtmr: { path: await register(), writeDigest: refuse }, eventLog: await files() });
    expect(await codeOf(log.extend?.(configuration) ?? Promise.resolve())).toBe('EVIDENCE_REFUSED');
    const { eventLog } = await log.quoted(() => Promise.resolve());
    expect(eventLog?.length).toBeLessThan(area.length);
  });

  it('is looked for at /dev/tdx_guest, too', async () => {
    const { detail } = await (await openTdxGuest({ path: join(base, 'no'), eventLog: await files() })).detect();
    expect(detail).toMatch(/, event log of \d+ bytes$/);
  });
});

describe.skipIf(!vectorsPresent)('the recorded table and log of COS 113', () => {
  const recorded = (name: string): Uint8Array => readVector(`tdx/google__go-tdx-guest/testing/testdata/ccel/${name}`);

  it('are what the collector reads, and replay to the registers of the recorded quote', async () => {
    const log = await openTdxLog({ eventLog: await files(recorded('ccel_data.dat'), recorded('ccel_table.dat')) });
    const { eventLog = new Uint8Array() } = await log.quoted(() => Promise.resolve());
    const { body } = parse({ type: TDX_QUOTE_TYPE, value: recorded('cos-113-tdx-quote.dat') });
    expect(await replayToRtmrs(parseEventLog(eventLog))).toEqual(body.rtmrs);
  });
});
