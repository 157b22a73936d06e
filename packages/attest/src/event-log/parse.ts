import { ByteReader, toHex, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/** Digest algorithms of event logs (TCG Algorithm Registry) and the length of their digests in bytes. */
const algorithms: ReadonlyMap<number, { readonly name: LogHash; readonly bytes: number }> = new Map([
  [0x0004, { name: 'SHA-1', bytes: 20 }],
  [0x000b, { name: 'SHA-256', bytes: 32 }],
  [0x000c, { name: 'SHA-384', bytes: 48 }],
  [0x000d, { name: 'SHA-512', bytes: 64 }],
]);
export type LogHash = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** An event that only informs and is not extended into a register. */
export const EV_NO_ACTION = 3;

/** One event of a log. Nothing of it is trusted before the log was replayed to registers that evidence vouches for. */
export interface LogEvent {
  /** As the log counts: PCR index, or for CCEL the CC measurement register index (0 MRTD, 1 to 4 RTMR0 to RTMR3). */
  readonly register: number;
  readonly type: number;
  /** Hex by algorithm. */
  readonly digests: Partial<Readonly<Record<LogHash, string>>>;
  /** What was measured, or a description of it; the digest need not be of these very bytes. */
  readonly data: Uint8Array;
}

const SIGNATURE = 'Spec ID Event03';
const MAX_LOG_BYTES = 4 << 20;
const MAX_EVENTS = 65_536;
const MAX_REGISTER = 64;

/**
 * Reads an event log in the crypto-agile format (TCG PC Client Platform Firmware Profile, section 10; the area that a CCEL
 * table points to has the same). The log ends where the bytes end or where a register index of all ones or, with an event
 * type of zero, of all zeros stands: firmware fills up its area; what follows is not read. Throws EVENT_LOG_MALFORMED.
 */
export function parseEventLog(bytes: Uint8Array): readonly LogEvent[] {
  if (bytes.length > MAX_LOG_BYTES) throw malformed(`${bytes.length} bytes; at most ${MAX_LOG_BYTES}`);
  try {
    const reader = new ByteReader(bytes.slice());
    readHeader(reader);
    const events: LogEvent[] = [];
    while (reader.remaining >= 8) {
      const register = reader.u32le();
      const type = reader.u32le();
      if (register === 0xffff_ffff || (register === 0 && type === 0)) break;
      if (events.length >= MAX_EVENTS) throw malformed(`more than ${MAX_EVENTS} events`);
      events.push(readEvent(reader, register, type));
    }
    return Object.freeze(events);
  } catch (cause) {
    if (cause instanceof FastnessError && cause.code === 'EVENT_LOG_MALFORMED') throw cause;
    throw new FastnessError('EVENT_LOG_MALFORMED', 'It ends inside an event.', { cause });
  }
}

/** The first entry has the old format and says which one follows. */
function readHeader(reader: ByteReader): void {
  reader.u32le();
  if (reader.u32le() !== EV_NO_ACTION) throw malformed('a first event that is no header');
  reader.take(20);
  const event = reader.take(reader.u32le());
  const text = event.subarray(0, SIGNATURE.length);
  if (event[SIGNATURE.length] !== 0 || text.some((byte) => byte > 0x7f) || utf8Decode(text) !== SIGNATURE) {
    throw malformed('another kind of log');
  }
}

function readEvent(reader: ByteReader, register: number, type: number): LogEvent {
  if (register > MAX_REGISTER) throw malformed(`register ${register}`);
  const count = reader.u32le();
  if (count > algorithms.size) throw malformed(`${count} digests`);
  const digests: Partial<Record<LogHash, string>> = {};
  for (let index = 0; index < count; index += 1) {
    const id = reader.u16le();
    const algorithm = algorithms.get(id);
    if (algorithm === undefined) throw malformed(`digest algorithm ${id}`);
    if (digests[algorithm.name] !== undefined) throw malformed(`two digests by ${algorithm.name}`);
    digests[algorithm.name] = toHex(reader.take(algorithm.bytes));
  }
  const data = reader.take(reader.u32le());
  return Object.freeze({ register, type, digests: Object.freeze(digests), data });
}

function malformed(what: string): FastnessError {
  return new FastnessError('EVENT_LOG_MALFORMED', `Found ${what}.`);
}
