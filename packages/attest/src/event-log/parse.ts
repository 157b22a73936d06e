import { ByteReader, equalBytes, toHex, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import {
  EV_NO_ACTION,
  logDigestBytes,
  logHashes,
  MAX_BANKS,
  MAX_DIGEST_BYTES,
  MAX_EVENTS,
  MAX_LOG_BYTES,
  MAX_LOG_REGISTER,
  SPEC_ID,
  type LogHash,
} from './layout.ts';

/** One event of a log. Nothing of it is trusted before the log was replayed to registers that evidence vouches for. */
export interface LogEvent {
  /** As the log counts: PCR index, or for CCEL the CC measurement register index (0 MRTD, 1 to 4 RTMR0 to RTMR3). */
  readonly register: number;
  /** TCG_EVENTTYPE. Events of type 3 (EV_NO_ACTION) are not extended into a register. */
  readonly type: number;
  /** Hex by hash. */
  readonly digests: Partial<Readonly<Record<LogHash, string>>>;
  /**
   * What was measured, or a description of it: the digest need not be of these very bytes (PC Client Platform Firmware
   * Profile, section 10.4), so they are not covered by it. A view of the log.
   */
  readonly data: Uint8Array;
}

/** An event log, read and nothing more. */
export interface EventLog {
  /** `sha-1`: the format of TPM 1.2, with one digest an event. `crypto-agile`: that of TPM 2.0 and CCEL. */
  readonly format: 'sha-1' | 'crypto-agile';
  /** Hashes that every event has a digest of. */
  readonly banks: readonly LogHash[];
  readonly events: readonly LogEvent[];
}

const specId = utf8Encode(SPEC_ID);

/**
 * Reads a TCG event log: crypto-agile (first event "Spec ID Event03") or the older one with SHA-1 alone (PC Client Platform
 * Firmware Profile, section 10); the area that a CCEL table points to is crypto-agile. Every hash that the header lists must
 * be in every event, once. `padding` says whether bytes may follow that fill up an area, as CCEL tables have them: all of
 * them 0xff, or all of them zero; by default nothing may follow.
 * Throws EVENT_LOG_TOO_LARGE, EVENT_LOG_MALFORMED, EVENT_LOG_REGISTER.
 */
export function parseEventLog(
  bytes: Uint8Array,
  { padding = 'refused' }: { readonly padding?: 'refused' | 'accepted' } = {},
): EventLog {
  return readBounded(bytes, padding === 'accepted').log;
}

/**
 * The bytes of a log without those that fill up its area, as a view. What it was extended with since can follow.
 * Throws as {@link parseEventLog}.
 */
export function trimEventLog(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, readBounded(bytes, true).end);
}

/** A log, and where its last event ends. */
interface BoundedLog {
  readonly log: EventLog;
  readonly end: number;
}

function readBounded(bytes: Uint8Array, padded: boolean): BoundedLog {
  if (bytes.length > MAX_LOG_BYTES) throw new FastnessError('EVENT_LOG_TOO_LARGE', `${bytes.length} bytes.`);
  try {
    return readLog(bytes.slice(), padded ? fillerOf(bytes) : 0);
  } catch (cause) {
    if (!(cause instanceof FastnessError) || cause.code !== 'CODEC_TRUNCATED') throw cause;
    throw new FastnessError('EVENT_LOG_MALFORMED', 'It ends inside an event.', { cause });
  }
}

function readLog(bytes: Uint8Array, filler: number): BoundedLog {
  const reader = new ByteReader(bytes);
  const first = readLegacyEvent(reader);
  const sizes = readHeader(first);
  const events: LogEvent[] = sizes === undefined ? [first] : [];
  while (reader.remaining > filler) {
    if (events.length >= MAX_EVENTS) throw new FastnessError('EVENT_LOG_TOO_LARGE', `More than ${MAX_EVENTS} events.`);
    events.push(sizes === undefined ? readLegacyEvent(reader) : readEvent(reader, sizes));
  }
  const banks = sizes === undefined ? (['SHA-1'] as const) : [...sizes.keys()].flatMap((id) => logHashes.get(id) ?? []);
  const log = Object.freeze({
    format: sizes === undefined ? ('sha-1' as const) : ('crypto-agile' as const),
    banks: Object.freeze(banks),
    events: Object.freeze(events),
  });
  return { log, end: reader.offset };
}

/**
 * How many bytes at the end are alike and so may fill up an area. The data of the last event may end in the same byte, so the
 * log ends at the first boundary between events that lies among them.
 */
function fillerOf(bytes: Uint8Array): number {
  const last = bytes.at(-1);
  if (last !== 0 && last !== 0xff) return 0;
  let filler = 1;
  while (filler < bytes.length && bytes[bytes.length - 1 - filler] === last) filler += 1;
  return filler;
}

/** Sizes of digests by algorithm, from the first event; undefined when it is an event like any other. */
function readHeader({ data, type }: LogEvent): ReadonlyMap<number, number> | undefined {
  if (type !== EV_NO_ACTION || !equalBytes(data.subarray(0, specId.length), specId)) return undefined;
  const reader = new ByteReader(data.subarray(specId.length));
  reader.take(8); // Platform class, version and errata, size of UINTN: nothing in the log depends on them.
  const count = reader.u32le();
  if (count < 1 || count > MAX_BANKS) throw malformed(`${count} banks`);
  const sizes = new Map<number, number>();
  for (let index = 0; index < count; index += 1) {
    const algorithm = reader.u16le();
    const size = reader.u16le();
    const hash = logHashes.get(algorithm);
    if (sizes.has(algorithm)) throw malformed('a bank twice');
    if (size === 0 || size > MAX_DIGEST_BYTES) throw malformed(`digests of ${size} bytes`);
    if (hash !== undefined && logDigestBytes[hash] !== size) throw malformed(`${hash} of ${size} bytes`);
    sizes.set(algorithm, size);
  }
  reader.take(reader.u8());
  if (reader.remaining > 0) throw malformed('bytes after its header');
  return sizes;
}

function readEvent(reader: ByteReader, sizes: ReadonlyMap<number, number>): LogEvent {
  const register = reader.u32le();
  const type = reader.u32le();
  const count = reader.u32le();
  if (count !== sizes.size) throw malformed(`${count} digests where its header lists ${sizes.size}`);
  const seen = new Set<number>();
  const digests: Partial<Record<LogHash, string>> = {};
  for (let index = 0; index < count; index += 1) {
    const algorithm = reader.u16le();
    const size = sizes.get(algorithm);
    if (size === undefined || seen.has(algorithm)) throw malformed('a digest twice or outside its header');
    seen.add(algorithm);
    const digest = reader.take(size);
    const hash = logHashes.get(algorithm);
    if (hash !== undefined) digests[hash] = toHex(digest);
  }
  return eventOf({ register, type, digests, data: reader.take(reader.u32le()) });
}

function readLegacyEvent(reader: ByteReader): LogEvent {
  const register = reader.u32le();
  const type = reader.u32le();
  const digest = toHex(reader.take(logDigestBytes['SHA-1']));
  return eventOf({ register, type, digests: { 'SHA-1': digest }, data: reader.take(reader.u32le()) });
}

function eventOf(event: LogEvent): LogEvent {
  // An event that is not extended may name no register at all.
  if (event.type !== EV_NO_ACTION && event.register > MAX_LOG_REGISTER) {
    throw new FastnessError('EVENT_LOG_REGISTER', `Register ${event.register}.`);
  }
  return Object.freeze({ ...event, digests: Object.freeze(event.digests) });
}

function malformed(what: string): FastnessError {
  return new FastnessError('EVENT_LOG_MALFORMED', `It has ${what}.`);
}
