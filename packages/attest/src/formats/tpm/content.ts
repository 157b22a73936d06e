import { decodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { HashName } from '@fastness/codec/x509';
import { parseEventLog, type EventLog } from '../../event-log/index.ts';
import { MAX_PCR, tpmHashes } from './layout.ts';

/** Registers by bank and index, as they came with the quote. Untrusted until the quote's digest covers them. */
export type PcrValues = Readonly<Partial<Record<HashName, ReadonlyMap<number, Uint8Array>>>>;

/** What evidence of every kind of TPM holds: members 1 to 4 of its CBOR map. */
export interface QuoteContent {
  /** Member 1: TPMS_ATTEST, the bytes that were signed. */
  readonly attest: Uint8Array;
  /** Member 2: TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
  /** Member 3: {TPM_ALG_ID of the bank: {index: value}}. */
  readonly pcrs: PcrValues;
  /** Member 4, optional: the event log of the boot, as the firmware keeps it. */
  readonly eventLog?: Uint8Array;
}

/** A quote and what came with it, read. */
export interface ReadContent extends Omit<QuoteContent, 'eventLog'> {
  readonly eventLog?: EventLog;
}

/** Depth and number of items of the map: eight banks of 24 registers, and a dozen certificates. */
const limits = Object.freeze({ maxDepth: 4, maxItems: 512 });

/** Members 1 to 4 as CBOR. */
export function quoteMembers({ attest, signature, pcrs, eventLog }: QuoteContent): [number, CborValue][] {
  const banks = [...tpmHashes].flatMap(([id, bank]) => {
    const registers = pcrs[bank];
    return registers === undefined ? [] : [[id, new Map<number, CborValue>(registers)] as const];
  });
  return [
    [1, attest],
    [2, signature],
    [3, new Map<number, CborValue>(banks)],
    ...(eventLog === undefined ? [] : [[4, eventLog] satisfies [number, CborValue]]),
  ];
}

/** Reads the CBOR map of an envelope whose members have these numbers. */
export function readMembers(value: Uint8Array, known: readonly number[], code: ErrorCode): CborMap {
  const content = decodeCbor(value, { limits });
  if (!(content instanceof Map)) throw new FastnessError(code, 'Expected a CBOR map.');
  const map: CborMap = content;
  for (const key of map.keys()) {
    if (typeof key !== 'number' || !known.includes(key))
      throw new FastnessError(code, `Unknown member ${String(key)}.`);
  }
  return map;
}

/** Reads members 1 to 4 of evidence. Throws ATTEST_EVIDENCE_MALFORMED, EVENT_LOG_.... */
export function readQuoteMembers(members: CborMap): ReadContent {
  const eventLog = members.has(4) ? bytesOf(members, 4) : undefined;
  return {
    attest: bytesOf(members, 1),
    signature: bytesOf(members, 2),
    pcrs: readPcrs(members.get(3)),
    ...(eventLog === undefined ? {} : { eventLog: parseEventLog(eventLog) }),
  };
}

/** A member that must be a byte string. */
export function bytesOf(members: CborMap, key: number, code: ErrorCode = 'ATTEST_EVIDENCE_MALFORMED'): Uint8Array {
  const value = members.get(key);
  if (!(value instanceof Uint8Array)) throw new FastnessError(code, `Member ${key} must be a byte string.`);
  return value;
}

/** A member that must be a list of byte strings; empty when it is absent. */
export function listOf(members: CborMap, key: number, most: number, code: ErrorCode): readonly Uint8Array[] {
  const list: unknown = members.get(key) ?? [];
  if (!Array.isArray(list) || list.length > most) {
    throw new FastnessError(code, `Member ${key} must be a list of at most ${most}.`);
  }
  return list.map((item: unknown) => {
    if (!(item instanceof Uint8Array)) throw new FastnessError(code, `Member ${key} must hold byte strings.`);
    return item;
  });
}

/** Banks that are not SHA-2 are refused rather than skipped: nobody could say what they are for. */
function readPcrs(value: CborValue | undefined): PcrValues {
  if (!(value instanceof Map)) throw malformedPcrs();
  const banks: Partial<Record<HashName, ReadonlyMap<number, Uint8Array>>> = {};
  for (const [id, registers] of value as CborMap) {
    const bank = typeof id === 'number' ? tpmHashes.get(id) : undefined;
    if (bank === undefined || !(registers instanceof Map)) throw malformedPcrs();
    const values = new Map<number, Uint8Array>();
    for (const [index, register] of registers as CborMap) {
      if (typeof index !== 'number' || index < 0 || index > MAX_PCR || !(register instanceof Uint8Array))
        throw malformedPcrs();
      values.set(index, register);
    }
    banks[bank] = values;
  }
  return Object.freeze(banks);
}

function malformedPcrs(): FastnessError {
  return new FastnessError('ATTEST_EVIDENCE_MALFORMED', 'Member 3 must map SHA-2 banks to registers from 0 to 23.');
}
