import { concatBytes, utf8Encode } from '@fastness/codec';
import { encodeCbor } from '@fastness/codec/cbor';
import { forgeEventLog } from '@fastness/testkit';
import { TDX_EVIDENCE_TYPE } from '../../src/index.ts';
import type { DcapFailure } from './dcap-failures.ts';
import { bootedTd, bootWith, goodBoot, logOf, pinnedBoot, type Boot } from './tdx-boot.ts';

const good = await bootedTd(goodBoot);
const pinned = await pinnedBoot(goodBoot);
const { events } = pinned;
const other = 'ee'.repeat(48);
const without = (name: string): Boot => goodBoot.filter(([, each]) => each !== name);
const map = (members: readonly (readonly [number, Uint8Array])[]): Uint8Array => encodeCbor(new Map(members));
const log = await logOf(goodBoot);
const quote = new Uint8Array(1000);
/** Evidence that is no quote and no log in their envelope. */
const envelope = (value: Uint8Array): DcapFailure[2] => ({ type: TDX_EVIDENCE_TYPE, editQuote: () => value });

/** The log of a trust domain with exactly one thing wrong. */
export const tdxLogFailures: readonly DcapFailure[] = [
  ['ATTEST_EVIDENCE_MALFORMED', 'an envelope without a log', envelope(map([[1, quote]]))],
  ['ATTEST_EVIDENCE_MALFORMED', 'an envelope without a quote', envelope(map([[2, log]]))],
  [
    'ATTEST_EVIDENCE_MALFORMED',
    'an envelope with a third member',
    envelope(
      map([
        [1, quote],
        [2, log],
        [3, log],
      ]),
    ),
  ],
  ['EVENT_LOG_MALFORMED', 'a log that is cut short', { ...good, eventLog: log.slice(0, 200) }],
  [
    'EVENT_LOG_MALFORMED',
    'bytes behind it that are no filling',
    { ...good, eventLog: concatBytes(log, utf8Encode('x')) },
  ],
  [
    'EVENT_LOG_BANK',
    'a log of SHA-1',
    { ...good, eventLog: await forgeEventLog([{ pcr: 1, type: 4, data: log }], { legacy: true }) },
  ],
  ['EVENT_LOG_MISSING', 'a log that is required', { section: { eventLog: 'required' } }],
  ['EVENT_LOG_MISSING', 'a log whose events are listed', { td: good.td, section: pinned }],
  ['EVENT_LOG_MISSING', 'a log in which an event is required', { section: { requiredEvents: { 1: events[1] } } }],
  ...(await Promise.all(
    (['boot variable', 'kernel', 'archive', 'release'] as const).map(async (name): Promise<DcapFailure> => [
      'EVENT_LOG_MISMATCH',
      `the event of the ${name} left out`,
      { ...good, eventLog: await logOf(without(name)) },
    ]),
  )),
  ['EVENT_LOG_MISMATCH', 'a log of another boot', { ...good, eventLog: await logOf(bootWith('kernel', 'another')) }],
  [
    'EVENT_LOG_MISMATCH',
    'events of a register that need not be replayed are listed',
    {
      ...good,
      eventLog: await logOf(bootWith('release', 'another')),
      section: { eventLogRtmrs: [0, 1, 2], events: { 3: events[3] } },
    },
  ],
  [
    'TDX_RTMR_NOT_ALLOWED',
    'another kernel, by its event',
    { ...(await bootedTd(bootWith('kernel', 'k'))), section: pinned },
  ],
  [
    'EVENT_LOG_EVENTS_NOT_ALLOWED',
    'another event',
    { ...(await bootedTd(bootWith('archive', 'another'))), section: { events: { 2: events[2] } } },
  ],
  [
    'EVENT_LOG_EVENTS_NOT_ALLOWED',
    'an event more',
    { ...(await bootedTd([...goodBoot, ...goodBoot.slice(-1)])), section: { events: { 3: events[3] } } },
  ],
  [
    'EVENT_LOG_EVENT_MISSING',
    'another boot variable',
    { ...good, section: { requiredEvents: { 0: [{ name: 'Secure Boot', digests: [other] }] } } },
  ],
];
