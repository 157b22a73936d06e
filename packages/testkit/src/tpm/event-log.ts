import { concatBytes, u16le, u32le, utf8Encode } from '@fastness/codec/bytes';

/** One event to write; its digests are made over `data` in every bank. */
export interface ForgedEvent {
  readonly pcr: number;
  readonly type: number;
  readonly data: Uint8Array;
  /** In place of that digest of `data`: events of programs are of their files. */
  readonly sha384?: Uint8Array;
}

const banks = [
  ['SHA-1', 0x0004, 20],
  ['SHA-256', 0x000b, 32],
  ['SHA-384', 0x000c, 48],
] as const;

/** The event that states the locality TPM2_Startup was called from. */
export function startupLocality(locality: number): ForgedEvent {
  return { pcr: 0, type: 3, data: concatBytes(utf8Encode('StartupLocality\0'), Uint8Array.of(locality)) };
}

export interface ForgeEventLogOptions {
  /** Edits the first event, which lists the banks. */
  readonly header?: (data: Uint8Array) => Uint8Array;
  /** Writes the format of TPM 1.2: SHA-1 alone, and no header. */
  readonly legacy?: boolean;
  /** Follows the events. */
  readonly padding?: Uint8Array;
}

/** Writes an event log: crypto-agile with SHA-1, SHA-256 and SHA-384, unless `legacy`. */
export async function forgeEventLog(
  events: readonly ForgedEvent[],
  options: ForgeEventLogOptions = {},
): Promise<Uint8Array> {
  const { legacy = false, padding = new Uint8Array() } = options;
  const spec = concatBytes(
    utf8Encode('Spec ID Event03\0'),
    Uint8Array.of(0, 0, 0, 0, 0, 2, 0, 2),
    u32le(banks.length),
    ...banks.flatMap(([, id, size]) => [u16le(id), u16le(size)]),
    Uint8Array.of(0),
  );
  const header = options.header?.(spec) ?? spec;
  const first = concatBytes(u32le(0), u32le(3), new Uint8Array(20), u32le(header.length), header);
  const written = await Promise.all(events.map(legacy ? writeLegacy : writeEvent));
  return concatBytes(...(legacy ? [] : [first]), ...written, padding);
}

async function writeEvent({ pcr, type, data, sha384 }: ForgedEvent): Promise<Uint8Array> {
  const digests = await Promise.all(
    banks.map(async ([name, id]) => {
      const given = name === 'SHA-384' ? sha384 : undefined;
      return concatBytes(u16le(id), given ?? (await digestOf(name, data)));
    }),
  );
  return concatBytes(u32le(pcr), u32le(type), u32le(digests.length), ...digests, u32le(data.length), data);
}

async function writeLegacy({ pcr, type, data }: ForgedEvent): Promise<Uint8Array> {
  return concatBytes(u32le(pcr), u32le(type), await digestOf('SHA-1', data), u32le(data.length), data);
}

async function digestOf(hash: string, data: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(hash, Uint8Array.from(data)));
}
