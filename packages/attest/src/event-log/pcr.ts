import { FastnessError } from '@fastness/codec/errors';
import { EV_NO_ACTION, type LogHash } from './layout.ts';
import { parseEventLog, type LogEvent } from './parse.ts';
import { replayToPcrs } from './replay.ts';

/**
 * Reads the log of a TPM and replays it to registers that a quote vouches for. Only events of `registers` are returned, in
 * their order. What `verifyEventLog` says about the data of events holds here as well.
 *
 * Throws EVENT_LOG_..., ATTEST_ARGUMENT_INVALID.
 */
export async function verifyPcrEventLog(options: {
  /** As the firmware keeps it; nothing may follow. */
  readonly log: Uint8Array;
  readonly bank: LogHash;
  /** Of the claims: hex by index. */
  readonly pcrs: Readonly<Record<string, string>>;
  /** Registers that must match: those that software extended after the boot do not. */
  readonly registers: readonly number[];
}): Promise<readonly LogEvent[]> {
  const { bank, pcrs } = options;
  const registers = new Set(options.registers);
  if (registers.size === 0) throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'registers must name one at least.');
  const log = parseEventLog(options.log);
  const replayed = await replayToPcrs(log, bank);
  for (const index of registers) {
    const expected = Object.hasOwn(pcrs, `${index}`) ? pcrs[`${index}`] : undefined;
    const actual = replayed.get(index);
    if (expected === undefined || actual !== expected) {
      throw new FastnessError(
        'EVENT_LOG_MISMATCH',
        `PCR${index}: expected ${expected ?? 'a quoted value'}; the log replays to ${actual ?? 'nothing'}.`,
      );
    }
  }
  return Object.freeze(log.events.filter(({ register, type }) => type !== EV_NO_ACTION && registers.has(register)));
}
