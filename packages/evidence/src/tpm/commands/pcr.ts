import { ByteReader, concatBytes, u16be, u32be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readSized, sized, type Tpm, type TpmAuthorisation } from '../client.ts';
import {
  algorithms,
  banks,
  commandCodes,
  extendableBanks,
  MAX_PCR,
  type Bank,
  type ExtendableBank,
} from '../constants.ts';
import { noPassword } from './objects.ts';

/** Registers of one bank. */
export interface PcrSelection {
  readonly bank: Bank;
  readonly indexes: readonly number[];
}

/** TPML_PCR_SELECTION with one bank, as bytes. Throws TPM_DEVICE_ARGUMENT. */
export function encodeSelection({ bank, indexes }: PcrSelection): Uint8Array {
  const mask = new Uint8Array(3);
  for (const index of indexes) {
    if (!Number.isInteger(index) || index < 0 || index > MAX_PCR) {
      throw new FastnessError('TPM_DEVICE_ARGUMENT', `Register ${index}.`);
    }
    const place = index >> 3;
    mask[place] = (mask[place] ?? 0) | (1 << (index & 7));
  }
  return concatBytes(u32be(1), u16be(banks[bank].algorithm), Uint8Array.of(mask.length), mask);
}

/**
 * TPM2_PCR_Read, as often as needed: a TPM answers with at most eight registers. When a register is extended between two
 * answers, reading starts again. Throws TPM_DEVICE_UNSUPPORTED when the bank is not active.
 */
export async function pcrRead(tpm: Tpm, { bank, indexes }: PcrSelection): Promise<ReadonlyMap<number, Uint8Array>> {
  const wanted = [...new Set(indexes)].sort((a, b) => a - b);
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const values = new Map<number, Uint8Array>();
    const counters = new Set<number>();
    while (values.size < wanted.length) {
      const missing = wanted.filter((index) => !values.has(index));
      const part = await readSome(tpm, { bank, indexes: missing });
      if (part.values.size === 0) throw new FastnessError('TPM_DEVICE_UNSUPPORTED', `Bank ${bank} is not active.`);
      counters.add(part.updates);
      for (const [index, value] of part.values) values.set(index, value);
    }
    if (counters.size <= 1) return new Map([...values].sort(([a], [b]) => a - b));
  }
  throw new FastnessError('TPM_DEVICE_BUSY', 'TPM2_PCR_Read: registers change all the time.');
}

async function readSome(
  tpm: Tpm,
  selection: PcrSelection,
): Promise<{ updates: number; values: ReadonlyMap<number, Uint8Array> }> {
  const { bank, indexes } = selection;
  return await tpm.run(
    { code: commandCodes.pcrRead, name: 'TPM2_PCR_Read', parameters: encodeSelection(selection) },
    (reader) => {
      const updates = reader.u32be();
      const answered = readSelection(reader, bank).filter((index) => {
        if (!indexes.includes(index)) throw new FastnessError('CODEC_VALUE', 'A register that nobody asked for.');
        return true;
      });
      const count = reader.u32be();
      if (count !== answered.length) throw new FastnessError('CODEC_VALUE', `${count} values.`);
      const values = answered.map((index) => {
        const value = readSized(reader, banks[bank].bytes);
        if (value.length !== banks[bank].bytes) throw new FastnessError('CODEC_VALUE', 'A value of another size.');
        return [index, value] as const;
      });
      return { updates, values: new Map(values) };
    },
  );
}

/** A TPML_PCR_SELECTION that names one bank, or none. */
function readSelection(reader: ByteReader, bank: Bank): readonly number[] {
  const count = reader.u32be();
  if (count > 1) throw new FastnessError('CODEC_VALUE', `${count} banks.`);
  const indexes: number[] = [];
  for (let each = 0; each < count; each += 1) {
    if (reader.u16be() !== banks[bank].algorithm) throw new FastnessError('CODEC_VALUE', 'Another bank.');
    [...reader.take(reader.u8())].forEach((octet, place) => {
      for (let bit = 0; bit < 8; bit += 1) if (((octet >> bit) & 1) === 1) indexes.push(place * 8 + bit);
    });
  }
  return indexes;
}

/** TPM2_PCR_Extend: a register becomes the hash of its value and `digest`, which is of the bank. */
export async function pcrExtend(
  tpm: Tpm,
  options: {
    readonly index: number;
    readonly bank: ExtendableBank;
    readonly digest: Uint8Array;
    readonly auth?: TpmAuthorisation;
  },
): Promise<void> {
  const { index, bank, digest, auth = noPassword } = options;
  if (digest.length !== extendableBanks[bank].bytes) {
    throw new FastnessError('TPM_DEVICE_ARGUMENT', `TPM2_PCR_Extend: a digest of ${digest.length} bytes.`);
  }
  await tpm.run(
    {
      code: commandCodes.pcrExtend,
      name: 'TPM2_PCR_Extend',
      handles: [index],
      auths: [auth],
      parameters: concatBytes(u32be(1), u16be(extendableBanks[bank].algorithm), digest),
    },
    () => {},
  );
}

/** A quote as verifiers take it. */
export interface TpmQuoteBytes {
  /** TPMS_ATTEST. */
  readonly attest: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

/** TPM2_Quote with the scheme of the key. `nonce`: at most 32 bytes, which every TPM takes. Nothing is verified here. */
export async function quote(
  tpm: Tpm,
  options: {
    readonly key: number;
    readonly nonce: Uint8Array;
    readonly selection: PcrSelection;
    readonly auth?: TpmAuthorisation;
  },
): Promise<TpmQuoteBytes> {
  const { key, nonce, selection, auth = noPassword } = options;
  return await tpm.run(
    {
      code: commandCodes.quote,
      name: 'TPM2_Quote',
      handles: [key],
      auths: [auth],
      parameters: concatBytes(sized(nonce), u16be(algorithms.null), encodeSelection(selection)),
    },
    (reader) => ({ attest: readSized(reader), signature: reader.take(reader.remaining).slice() }),
  );
}
