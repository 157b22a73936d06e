import { createHash } from 'node:crypto';
import {
  encodeRuntimeEvent,
  logDigestBytes,
  parseEventLog,
  trimEventLog,
  type LogHash,
} from '@fastness/attest/event-log';
import { concatBytes, u16le, u32le, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { RuntimeEvent } from '../collector.ts';
import { errnoOf, readKernelFile } from './kernel-file.ts';
import { openTdxRtmr, TDX_RUNTIME_RTMR, type TdxRtmrOptions } from './tdx-rtmr.ts';

/** The ACPI table that says whose log it is (ACPI 6.5, section 5.2.34), and the log, as Linux shows them; root reads them. */
export const CCEL_TABLE = '/sys/firmware/acpi/tables/CCEL';
export const CCEL_DATA = '/sys/firmware/acpi/tables/data/CCEL';

/** The whole table; byte 36 says which technology the log is of. */
const TABLE_BYTES = 56;
const TYPE_AT = 36;
const TYPE_TDX = 2;
/** Firmware sets apart 64 to 256 KiB, of which a log fills a part. */
const MAX_AREA_BYTES = 4 << 20;
/** Bytes that are sent at most: with quote and text form it has to fit into every message that evidence travels in. */
const MAX_SENT_BYTES = 256 << 10;
const EV_EVENT_TAG = 6;
/** CCEL counts MRTD as register 0, so RTMR0 is its register 1. */
const CC_REGISTER = TDX_RUNTIME_RTMR + 1;

const algorithms: Readonly<Record<LogHash, readonly [id: number, name: string]>> = Object.freeze({
  'SHA-1': [0x0004, 'sha1'],
  'SHA-256': [0x000b, 'sha256'],
  'SHA-384': [0x000c, 'sha384'],
  'SHA-512': [0x000d, 'sha512'],
});

export interface TdxLogOptions {
  /** Default: {@link CCEL_TABLE}. */
  readonly tablePath?: string;
  /** Default: {@link CCEL_DATA}. */
  readonly dataPath?: string;
}

/** The log of a trust domain: of its boot, and of what this process extended since. */
export interface TdxLog {
  /** Whether there is one, or why there is none; for people. */
  readonly detail: string;
  /** Makes a quote while nothing of this process extends a register, so that the log belongs to it; none where there is no log. */
  quoted<T>(quote: () => Promise<T>): Promise<{ readonly made: T; readonly eventLog?: Uint8Array }>;
  /** Absent where this kernel does not let this user extend {@link TDX_RUNTIME_RTMR}. */
  readonly extend?: (event: RuntimeEvent) => Promise<void>;
}

/**
 * Opens the log of this trust domain. One that is not there, that this user may not read or that cannot be read is no error
 * here: the evidence then has none, and a policy that needs one refuses it. The log is neither secret nor trusted: a
 * verifier replays it to the registers of the quote.
 */
export async function openTdxLog(
  options: { readonly rtmr?: TdxRtmrOptions | undefined; readonly eventLog?: TdxLogOptions | undefined } = {},
): Promise<TdxLog> {
  const found = await readBootLog(options.eventLog);
  const boot = 'log' in found ? found : undefined;
  const extendRegister = await openTdxRtmr(options.rtmr);
  const own: Uint8Array[] = [];
  const quotes = new Set<Promise<unknown>>();
  let extended: Promise<unknown> = Promise.resolve();
  const extend = async (event: RuntimeEvent): Promise<void> => {
    // Only what was asked for before: a quote that is asked for later waits for this.
    const before = Promise.allSettled([extended, ...quotes]);
    const turn = (async () => {
      await before;
      await extendRegister?.(event);
      if (boot !== undefined) own.push(encodeEvent(event, boot.banks));
    })();
    extended = turn.catch(() => {});
    await turn;
  };
  return Object.freeze<TdxLog>({
    detail: 'log' in found ? `event log of ${found.log.length} bytes` : `no event log: ${found.absent}`,
    quoted: async (quote) => {
      const turn = extended.then(async () => {
        const made = await quote();
        return boot === undefined ? { made } : { made, eventLog: concatBytes(boot.log, ...own) };
      });
      quotes.add(turn);
      try {
        return await turn;
      } finally {
        quotes.delete(turn);
      }
    },
    ...(extendRegister === undefined ? {} : { extend }),
  });
}

type Found = { readonly log: Uint8Array; readonly banks: readonly LogHash[] } | { readonly absent: string };

async function readBootLog({ tablePath = CCEL_TABLE, dataPath = CCEL_DATA }: TdxLogOptions = {}): Promise<Found> {
  try {
    const table = await readKernelFile(tablePath, TABLE_BYTES);
    if (table?.length !== TABLE_BYTES || utf8Decode(table.subarray(0, 4)) !== 'CCEL' || table[TYPE_AT] !== TYPE_TDX)
      return { absent: `${tablePath} is no table of a log of TDX` };
    const area = await readKernelFile(dataPath, MAX_AREA_BYTES);
    if (area === undefined) return { absent: `${dataPath} has more than ${MAX_AREA_BYTES} bytes` };
    const log = trimEventLog(area);
    if (log.length > MAX_SENT_BYTES)
      return { absent: `it has ${log.length} bytes; at most ${MAX_SENT_BYTES} are sent` };
    const { format, banks } = parseEventLog(log);
    return format === 'crypto-agile' ? { log, banks } : { absent: `${dataPath} is a log of TPM 1.2` };
  } catch (error) {
    if (error instanceof FastnessError) return { absent: `${dataPath}: ${error.message}` };
    const code = errnoOf(error);
    if (code === 'ENOENT') return { absent: 'the kernel shows none (/sys/firmware/acpi/tables/data/CCEL)' };
    return { absent: `${code}; the files are root's` };
  }
}

/** An event of this process as the log holds those of the boot (PC Client Platform Firmware Profile, section 10.2.2). */
function encodeEvent(event: RuntimeEvent, banks: readonly LogHash[]): Uint8Array {
  const data = encodeRuntimeEvent(event);
  const digests = banks.flatMap((bank) => {
    const [id, name] = algorithms[bank];
    return [u16le(id), new Uint8Array(createHash(name).update(data).digest()).subarray(0, logDigestBytes[bank])];
  });
  return concatBytes(
    u32le(CC_REGISTER),
    u32le(EV_EVENT_TAG),
    u32le(banks.length),
    ...digests,
    u32le(data.length),
    data,
  );
}
