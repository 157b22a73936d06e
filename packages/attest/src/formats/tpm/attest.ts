import { ByteReader, toHex } from '@fastness/codec';
import type { HashName } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { MAX_PCR, tpmHashes } from './layout.ts';

/** The registers of one bank that a quote covers, in ascending order. */
export interface PcrSelection {
  readonly bank: HashName;
  readonly indexes: readonly number[];
}

/** A TPMS_ATTEST structure of a quote. Strings are lower-case hex. */
export interface TpmQuote {
  /** Name of the key that signed, as the TPM knows it. */
  readonly qualifiedSigner: string;
  /** What the caller of TPM2_Quote passed: the verifier's nonce. */
  readonly extraData: string;
  readonly clockInfo: {
    /** Milliseconds that the TPM has been powered. */
    readonly clock: bigint;
    /** Starts of the TPM. */
    readonly resetCount: number;
    /** Resumptions since the last start. */
    readonly restartCount: number;
    /** Whether no larger value of `clock` was ever reported. */
    readonly safe: boolean;
  };
  readonly firmwareVersion: string;
  readonly selections: readonly PcrSelection[];
  readonly pcrDigest: string;
}

const GENERATED = 0xff544347;
const ATTEST_QUOTE = 0x8018;
const MAX_BANKS = 8;
/** A selection is a bit mask of 24 registers; a TPM may write one octet more. */
const MAX_SELECT_BYTES = 4;

/**
 * Reads a TPMS_ATTEST (TPM 2.0 Library, part 2, section 10.12.12) that fills `bytes`. Only the TPM itself signs structures
 * that begin with the magic number, if the key is restricted.
 * Throws TPM_MAGIC, TPM_TYPE, TPM_CLOCK_FLAG, TPM_SELECTION, TPM_BANK, CODEC_TRUNCATED, CODEC_TRAILING.
 */
export function readAttest(bytes: Uint8Array, checks: Checklist): TpmQuote {
  const reader = new ByteReader(bytes);
  const magic = reader.u32be();
  checks.require('TPM_MAGIC', magic === GENERATED, { expected: hex(GENERATED), actual: hex(magic) });
  const type = reader.u16be();
  checks.require('TPM_TYPE', type === ATTEST_QUOTE, { expected: hex(ATTEST_QUOTE), actual: hex(type) });
  const qualifiedSigner = toHex(reader.take(reader.u16be()));
  const extraData = toHex(reader.take(reader.u16be()));
  const clock = reader.u64be();
  const resetCount = reader.u32be();
  const restartCount = reader.u32be();
  const safe = reader.u8();
  checks.require('TPM_CLOCK_FLAG', safe <= 1, { expected: '0 or 1', actual: `${safe}` });
  const firmwareVersion = toHex(reader.take(8));
  const selections = readSelections(reader, checks);
  const pcrDigest = toHex(reader.take(reader.u16be()));
  reader.end();
  return Object.freeze({
    qualifiedSigner,
    extraData,
    clockInfo: Object.freeze({ clock, resetCount, restartCount, safe: safe === 1 }),
    firmwareVersion,
    selections,
    pcrDigest,
  });
}

function readSelections(reader: ByteReader, checks: Checklist): readonly PcrSelection[] {
  const count = reader.u32be();
  checks.require('TPM_SELECTION', count >= 1 && count <= MAX_BANKS, {
    expected: `1 to ${MAX_BANKS} banks`,
    actual: `${count}`,
  });
  const selections: PcrSelection[] = [];
  for (let index = 0; index < count; index += 1) {
    const algorithm = reader.u16be();
    const mask = reader.take(reader.u8());
    const indexes = [...mask].flatMap((octet, place) =>
      [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => ((octet >> bit) & 1) === 1).map((bit) => place * 8 + bit),
    );
    const known = indexes.every((pcr) => pcr <= MAX_PCR);
    checks.require('TPM_SELECTION', mask.length <= MAX_SELECT_BYTES && known, {
      expected: `registers up to ${MAX_PCR}`,
      actual: `${mask.length} octets${known ? '' : ', others'}`,
    });
    const bank = tpmHashes.get(algorithm);
    checks.require('TPM_BANK', bank !== undefined, { expected: 'SHA-256, SHA-384 or SHA-512', actual: hex(algorithm) });
    const again = selections.some((selection) => selection.bank === bank);
    checks.require('TPM_SELECTION', !again, { expected: 'each bank once', actual: again ? `${bank} twice` : 'once' });
    selections.push(Object.freeze({ bank, indexes: Object.freeze(indexes) }));
  }
  return Object.freeze(selections);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
