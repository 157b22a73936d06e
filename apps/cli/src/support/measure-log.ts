import { eventWords, parseEventLog, replayToRtmrs, rtmrEvents, type EventLog } from '@fastness/attest/event-log';
import { parse as parseTdx } from '@fastness/attest/formats/tdx';
import { TDX_QUOTE_TYPE } from '@fastness/attest';
import { rtmrPolicyOfLog } from '@fastness/attest/reference-values';
import { equalBytes, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { Measured } from './measure.ts';

const REGISTERS = [0, 1, 2, 3] as const;
/** Where a crypto-agile log says what it is: behind register, type, digest and length of its first event. */
const NAME_AT = 32;
const name = utf8Encode('Spec ID Event03\0');

/** Whether these bytes begin as the log of a boot does. */
export function isEventLog(bytes: Uint8Array): boolean {
  return equalBytes(bytes.subarray(NAME_AT, NAME_AT + name.length), name);
}

/**
 * Reference values of the boot of a trust domain that this log is of. With `quote`: of that boot; it is compared, and not
 * verified. Throws EVENT_LOG_..., DCAP_QUOTE_...
 */
export async function measureLog(bytes: Uint8Array, quote: Uint8Array | undefined): Promise<Measured> {
  const log = parseEventLog(bytes, { padding: 'accepted' });
  const rtmrs = await replayToRtmrs(log);
  if (quote !== undefined) requireQuoted(rtmrs, quote);
  const policy = { measurements: 'from-release', ...(await rtmrPolicyOfLog(log)), eventLog: 'required' };
  return {
    facts: { rtmrs, comparedWithQuote: quote !== undefined, policy },
    lines: [
      'Run-time registers that the log replays to; each with its events (SHA-384) as the log describes them:',
      ...REGISTERS.flatMap((index) => [`  RTMR${index}  ${rtmrs[index]}`, ...linesOfEvents(log, index)]),
      quote === undefined
        ? 'Not compared with a quote: give --quote, or whoever wrote the log chose these values.'
        : 'The quote has these registers. Take it from a machine whose boot you trust, and verify it (fastness attest verify).',
      'For the tdx section of a policy; leave out registers and events that may change:',
      JSON.stringify(policy),
    ],
  };
}

function requireQuoted(rtmrs: readonly string[], quote: Uint8Array): void {
  const { body } = parseTdx({ type: TDX_QUOTE_TYPE, value: quote });
  for (const index of REGISTERS) {
    if (body.rtmrs[index] === rtmrs[index]) continue;
    throw new FastnessError(
      'EVENT_LOG_MISMATCH',
      `RTMR${index}: the quote has ${body.rtmrs[index]}; the log replays to ${rtmrs[index]}.`,
    );
  }
}

function linesOfEvents(log: EventLog, index: (typeof REGISTERS)[number]): string[] {
  return rtmrEvents(log, index).map((event) => `         ${event.digests['SHA-384'] ?? ''}  ${eventWords(event)}`);
}
