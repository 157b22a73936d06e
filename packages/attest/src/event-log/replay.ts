import { concatBytes, equalBytes, fromHex, toHex, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { EV_NO_ACTION, logDigestBytes, STARTUP_LOCALITY, type LogHash } from './layout.ts';
import type { EventLog, LogEvent } from './parse.ts';

const startupLocality = utf8Encode(STARTUP_LOCALITY);
/** Registers of dynamic launches start from ones and are reset at run time; their logs are not replayed here. */
const FIRST_DYNAMIC_PCR = 17;
const LAST_DYNAMIC_PCR = 22;

/**
 * The value of a register after these digests were extended into it: each time the hash of the old value and the digest.
 * `digests`: hex, of the hash's length. `hash` absent: SHA-384. `initial` absent: zeros. Throws EVENT_LOG_MALFORMED.
 */
export async function replayDigests(
  digests: readonly string[],
  { hash = 'SHA-384', initial }: { readonly hash?: LogHash; readonly initial?: Uint8Array } = {},
): Promise<string> {
  let value = new Uint8Array(initial ?? new Uint8Array(logDigestBytes[hash]));
  for (const digest of digests) {
    const bytes = fromHex(digest);
    if (bytes.length !== logDigestBytes[hash]) {
      throw new FastnessError('EVENT_LOG_MALFORMED', `It has a digest of ${bytes.length} bytes.`);
    }
    value = new Uint8Array(await globalThis.crypto.subtle.digest(hash, concatBytes(value, bytes)));
  }
  return toHex(value);
}

/** Digests of one hash that were extended, in their order, by register. Throws EVENT_LOG_BANK. */
export function extendedDigests(log: EventLog, hash: LogHash): ReadonlyMap<number, readonly string[]> {
  if (!log.banks.includes(hash)) {
    throw new FastnessError('EVENT_LOG_BANK', `It has ${log.banks.join(', ')}, and not ${hash}.`);
  }
  const registers = new Map<number, string[]>();
  for (const { register, type, digests } of log.events) {
    if (type === EV_NO_ACTION) continue;
    const known = registers.get(register) ?? [];
    known.push(digests[hash] ?? '');
    registers.set(register, known);
  }
  return registers;
}

/**
 * Replays a log to the registers of one bank of a TPM, hex by index: those that an event extends, from zero, PCR0 from the
 * locality that the log states. Throws EVENT_LOG_BANK, EVENT_LOG_REGISTER for registers of dynamic launches (17 to 22),
 * EVENT_LOG_MALFORMED.
 */
export async function replayToPcrs(log: EventLog, bank: LogHash): Promise<ReadonlyMap<number, string>> {
  const registers = extendedDigests(log, bank);
  const dynamic = [...registers.keys()].find((index) => index >= FIRST_DYNAMIC_PCR && index <= LAST_DYNAMIC_PCR);
  if (dynamic !== undefined) throw new FastnessError('EVENT_LOG_REGISTER', `PCR${dynamic}.`);
  const locality = statedLocality(log.events);
  const initial = new Uint8Array(logDigestBytes[bank]);
  initial[initial.length - 1] = locality ?? 0;
  // A TPM that was started and whose PCR0 nobody extended holds the locality.
  const all = locality === undefined || registers.has(0) ? registers : new Map([[0, []], ...registers]);
  const replayed = await Promise.all(
    [...all].map(async ([index, digests]) => {
      const value = await replayDigests(digests, { hash: bank, ...(index === 0 ? { initial } : {}) });
      return [index, value] as const;
    }),
  );
  return new Map(replayed);
}

/** The locality that TPM2_Startup was called from (PC Client Platform Firmware Profile, section 10.4.5.3). */
function statedLocality(events: readonly LogEvent[]): number | undefined {
  let locality: number | undefined;
  let extended = false;
  for (const { register, type, data } of events) {
    if (register !== 0) continue;
    if (type !== EV_NO_ACTION) extended = true;
    else if (isLocality(data)) {
      if (extended || locality !== undefined) {
        throw new FastnessError('EVENT_LOG_MALFORMED', 'It states the startup locality too late or twice.');
      }
      locality = data[startupLocality.length] ?? 0;
    }
  }
  return locality;
}

function isLocality(data: Uint8Array): boolean {
  const name = data.subarray(0, startupLocality.length);
  return data.length === startupLocality.length + 1 && equalBytes(name, startupLocality);
}
