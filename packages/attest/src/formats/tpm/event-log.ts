import { ByteReader, equalBytes, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { HashName } from '@fastness/codec/x509';
import { digestBytes, MAX_PCR, tpmHashes } from './algorithms.ts';

export type LogBank = HashName | 'SHA-1';

/** One event: nothing vouches for it until the log was replayed to registers that a quote covers. */
export interface LogEvent {
  readonly pcr: number;
  /** TCG_EVENTTYPE. EV_NO_ACTION (3) is not extended into a register. */
  readonly type: number;
  readonly digests: ReadonlyMap<LogBank, Uint8Array>;
  /**
   * Not covered by the digest for every type: only for some does the digest say anything about these bytes (PC Client
   * Platform Firmware Profile, section 10.4). A view of the log.
   */
  readonly data: Uint8Array;
}

/** A TCG event log. */
export interface EventLog {
  readonly banks: readonly LogBank[];
  readonly events: readonly LogEvent[];
}

const EV_NO_ACTION = 3;
const MAX_LOG_BYTES = 1 << 22;
const MAX_EVENTS = 1 << 15;
const SPEC_ID = utf8Encode('Spec ID Event03\0');
const STARTUP_LOCALITY = utf8Encode('StartupLocality\0');
const SHA1_ID = 0x0004;

/**
 * Reads a TCG event log that fills `bytes`: crypto-agile (header "Spec ID Event03") or the older one with SHA-1 alone (PC
 * Client Platform Firmware Profile, section 10). Every bank that the header lists has to be in every event, once.
 * Throws TPM_LOG_MALFORMED, TPM_LOG_LIMIT, TPM_LOG_PCR, CODEC_TRUNCATED.
 */
export function parseEventLog(bytes: Uint8Array): EventLog {
  if (bytes.length > MAX_LOG_BYTES) throw new FastnessError('TPM_LOG_LIMIT', `${bytes.length} bytes.`);
  const reader = new ByteReader(bytes);
  const first = readLegacyEvent(reader);
  const sizes = readHeader(first);
  const banks: readonly LogBank[] =
    sizes === undefined ? ['SHA-1'] : [...sizes.keys()].flatMap((algorithm) => bankOf(algorithm) ?? []);
  const events: LogEvent[] = sizes === undefined ? [first] : [];
  while (reader.remaining > 0) {
    if (events.length >= MAX_EVENTS) throw new FastnessError('TPM_LOG_LIMIT', `More than ${MAX_EVENTS} events.`);
    events.push(sizes === undefined ? readLegacyEvent(reader) : readEvent(reader, sizes));
  }
  return Object.freeze({ banks: Object.freeze(banks), events: Object.freeze(events) });
}

/**
 * Replays a log to the registers of one bank, by index: those that an event extends, from zero, PCR0 from the locality that
 * the log states. Registers 17 to 22 belong to dynamic launches, which this reader does not replay. Throws TPM_LOG_BANK.
 */
export async function replayEventLog(log: EventLog, bank: LogBank): Promise<ReadonlyMap<number, Uint8Array>> {
  if (!log.banks.includes(bank)) throw new FastnessError('TPM_LOG_BANK', `The log has ${log.banks.join(', ')}.`);
  const size = digestBytes[bank];
  const registers = new Map<number, Uint8Array<ArrayBuffer>>();
  for (const { pcr, type, digests, data } of log.events) {
    const digest = digests.get(bank);
    if (digest === undefined) throw malformed(`an event without ${bank}`);
    if (type === EV_NO_ACTION) {
      if (pcr === 0 && isLocality(data)) {
        const initial = new Uint8Array(size);
        initial[size - 1] = data[STARTUP_LOCALITY.length] ?? 0;
        if (registers.has(0)) throw malformed('a startup locality after PCR0 was extended');
        registers.set(0, initial);
      }
      continue;
    }
    const extended = new Uint8Array(2 * size);
    extended.set(registers.get(pcr) ?? new Uint8Array(size));
    extended.set(digest, size);
    registers.set(pcr, new Uint8Array(await globalThis.crypto.subtle.digest(bank, extended)));
  }
  return registers;
}

function isLocality(data: Uint8Array): boolean {
  const name = data.subarray(0, STARTUP_LOCALITY.length);
  return data.length === STARTUP_LOCALITY.length + 1 && equalBytes(name, STARTUP_LOCALITY);
}

/** Sizes of digests by algorithm, from the first event; undefined when it is an event like any other. */
function readHeader({ data, type }: LogEvent): ReadonlyMap<number, number> | undefined {
  if (type !== EV_NO_ACTION || !equalBytes(data.subarray(0, SPEC_ID.length), SPEC_ID)) return undefined;
  const reader = new ByteReader(data.subarray(SPEC_ID.length));
  reader.take(8); // Platform class, version and errata, size of UINTN: nothing in the log depends on them.
  const count = reader.u32le();
  if (count < 1 || count > 8) throw malformed(`${count} banks`);
  const sizes = new Map<number, number>();
  for (let index = 0; index < count; index += 1) {
    const algorithm = reader.u16le();
    const size = reader.u16le();
    const bank = bankOf(algorithm);
    if (sizes.has(algorithm) || size === 0 || size > 64) throw malformed('a bank twice or without a size');
    if (bank !== undefined && digestBytes[bank] !== size) throw malformed(`${bank} of ${size} bytes`);
    sizes.set(algorithm, size);
  }
  reader.take(reader.u8());
  reader.end();
  return sizes;
}

function readEvent(reader: ByteReader, sizes: ReadonlyMap<number, number>): LogEvent {
  const pcr = reader.u32le();
  const type = reader.u32le();
  const count = reader.u32le();
  if (count !== sizes.size) throw malformed(`${count} digests where the header lists ${sizes.size}`);
  const seen = new Set<number>();
  const digests = new Map<LogBank, Uint8Array>();
  for (let index = 0; index < count; index += 1) {
    const algorithm = reader.u16le();
    const size = sizes.get(algorithm);
    if (size === undefined || seen.has(algorithm)) throw malformed('a digest twice or outside the header');
    seen.add(algorithm);
    const digest = reader.take(size);
    const bank = bankOf(algorithm);
    if (bank !== undefined) digests.set(bank, digest);
  }
  return event({ pcr, type, digests, data: reader.take(reader.u32le()) });
}

function readLegacyEvent(reader: ByteReader): LogEvent {
  const pcr = reader.u32le();
  const type = reader.u32le();
  const digests = new Map<LogBank, Uint8Array>([['SHA-1', reader.take(digestBytes['SHA-1'])]]);
  return event({ pcr, type, digests, data: reader.take(reader.u32le()) });
}

function event(fields: LogEvent): LogEvent {
  const { pcr, type } = fields;
  // An event that is not extended may name no register at all.
  if (type !== EV_NO_ACTION && (pcr > MAX_PCR || (pcr >= 17 && pcr <= 22))) {
    throw new FastnessError('TPM_LOG_PCR', `PCR${pcr}.`);
  }
  return Object.freeze(fields);
}

function bankOf(algorithm: number): LogBank | undefined {
  return algorithm === SHA1_ID ? 'SHA-1' : tpmHashes.get(algorithm);
}

function malformed(what: string): FastnessError {
  return new FastnessError('TPM_LOG_MALFORMED', `It has ${what}.`);
}
