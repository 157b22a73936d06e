import { concatBytes, fromHex, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { EV_NO_ACTION, parseEventLog, type LogEvent } from './parse.ts';

/** Index of a run-time register of a TD. */
export type RtmrIndex = 0 | 1 | 2 | 3;

/** CCEL counts MRTD as register 0, so RTMR0 is its register 1 (Intel TDX virtual firmware design guide, section 8.1). */
const CC_OFFSET = 1;

/**
 * The value of a register after these digests were extended into it, starting from zeros: each time SHA-384 of the old value
 * and the digest. `digests`: 48 bytes each, hex. Throws EVENT_LOG_MALFORMED.
 */
export async function replayDigests(digests: readonly string[]): Promise<string> {
  let value = new Uint8Array(48);
  for (const digest of digests) {
    const bytes = fromHex(digest);
    if (bytes.length !== value.length) {
      throw new FastnessError('EVENT_LOG_MALFORMED', `Found a digest of ${bytes.length} bytes.`);
    }
    value = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-384', concatBytes(value, bytes)));
  }
  return toHex(value);
}

/**
 * Reads a CCEL and replays it to the run-time registers of a TD. Only events of `registers` are returned, in their order;
 * the values must come from claims, so that a quote vouches for them. A register that software extended after the boot does
 * not match its boot log: leave it out of `registers`, and nothing is said about it.
 *
 * Not checked: whether the data of an event is what its digest was made of. For many types (firmware volumes, loaded images)
 * it is only a description. Whoever relies on data must hash it.
 *
 * Throws EVENT_LOG_MALFORMED, EVENT_LOG_MISMATCH, ATTEST_ARGUMENT_INVALID.
 */
export async function verifyEventLog(options: {
  /** The area that the CCEL table points to; bytes that fill it up may follow. */
  readonly log: Uint8Array;
  /** Of the claims. */
  readonly rtmrs: readonly string[];
  /** Registers that must match. */
  readonly registers: readonly RtmrIndex[];
}): Promise<readonly LogEvent[]> {
  const { log, rtmrs } = options;
  const registers = [...new Set(options.registers)].toSorted((a, b) => a - b);
  if (registers.length === 0) throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'registers must name one at least.');
  const events = parseEventLog(log);
  for (const register of registers) {
    const extended = events.filter((event) => event.register === register + CC_OFFSET && event.type !== EV_NO_ACTION);
    const digests = extended.map(({ digests: { 'SHA-384': digest } }) => {
      if (digest === undefined) throw new FastnessError('EVENT_LOG_MALFORMED', 'Found an event without SHA-384.');
      return digest;
    });
    const replayed = await replayDigests(digests);
    const expected = rtmrs[register];
    if (expected === undefined || replayed !== expected) {
      throw new FastnessError(
        'EVENT_LOG_MISMATCH',
        `RTMR${register}: expected ${expected ?? 'a value'}; the log replays to ${replayed}.`,
      );
    }
  }
  return Object.freeze(
    events.filter(
      ({ register, type }) => type !== EV_NO_ACTION && registers.some((index) => index + CC_OFFSET === register),
    ),
  );
}
