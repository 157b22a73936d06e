import { compareBytes, plainView } from '../bytes/bytes.ts';
import { ByteReader } from '../bytes/reader.ts';
import { utf8Decode } from '../bytes/utf8.ts';
import { FastnessError } from '../errors/index.ts';
import { CborTag, defaultCborLimits, type CborKey, type CborLimits, type CborValue } from './types.ts';

/** Options of `decodeCbor`. */
export interface DecodeCborOptions {
  readonly limits?: Partial<CborLimits>;
  /**
   * `deterministic` (default) wants map keys in the order of RFC 8949, section 4.2.1; `any` takes them as they come,
   * for producers that do not sort (AWS Nitro). Doubled keys are refused either way.
   */
  readonly keyOrder?: 'deterministic' | 'any';
  /**
   * `refused` (default) wants a length in front of every map; `accepted` also reads maps that end with a break, for
   * producers that stream their fields (AWS Nitro). Arrays and strings need a length either way.
   */
  readonly openMaps?: 'refused' | 'accepted';
  /**
   * `shortest` (default) wants every integer, length and tag in its shortest form; `any` also reads longer forms, for
   * formats whose readers have to (RFC 9783, section 5.1.1). Both forms of a map key are one key.
   */
  readonly integers?: 'shortest' | 'any';
  /**
   * `refused` (default) wants the item to fill the bytes; `ignored` reads the first item of a buffer of fixed size, whose rest
   * means nothing (the message buffer of NitroTPM).
   */
  readonly rest?: 'refused' | 'ignored';
}

/**
 * Reads one CBOR data item that fills `bytes` (unless `rest` says otherwise). The subset of RFC 8949: definite lengths, every length and integer in
 * its shortest form (unless `integers` says otherwise), well-formed UTF-8, map keys that are integers or text and occur
 * once, no floating point and of the simple values only false, true and null. Byte strings are views of the input.
 * @throws CODEC_TRUNCATED, CODEC_TRAILING, CODEC_MALFORMED, CODEC_NOT_CANONICAL, CODEC_LIMIT, CODEC_UNSUPPORTED
 */
export function decodeCbor(bytes: Uint8Array, options: DecodeCborOptions = {}): CborValue {
  const limits = { ...defaultCborLimits, ...options.limits };
  if (bytes.length > limits.maxBytes) throw new FastnessError('CODEC_LIMIT', `${bytes.length} bytes of CBOR.`);
  const reader = new ByteReader(bytes);
  const decoder = new Decoder(bytes, reader, limits, options);
  const value = decoder.item(0);
  if (options.rest !== 'ignored') reader.end();
  return value;
}

/** A map without a length, and what ends it (RFC 8949, section 3.2). */
const OPEN_MAP = 0xbf;
const BREAK = 0xff;

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #reader: ByteReader;
  readonly #limits: CborLimits;
  readonly #sorted: boolean;
  readonly #openMaps: boolean;
  readonly #shortest: boolean;
  #items = 0;

  constructor(bytes: Uint8Array, reader: ByteReader, limits: CborLimits, options: DecodeCborOptions) {
    this.#bytes = plainView(bytes);
    this.#reader = reader;
    this.#limits = limits;
    this.#sorted = (options.keyOrder ?? 'deterministic') === 'deterministic';
    this.#openMaps = options.openMaps === 'accepted';
    this.#shortest = (options.integers ?? 'shortest') === 'shortest';
  }

  item(depth: number): CborValue {
    if (depth > this.#limits.maxDepth) throw new FastnessError('CODEC_LIMIT', 'CBOR nested too deep.');
    this.#items += 1;
    if (this.#items > this.#limits.maxItems) throw new FastnessError('CODEC_LIMIT', 'Too many CBOR items.');
    const initial = this.#reader.u8();
    const major = initial >> 5;
    if (major === 7) return simple(initial & 31);
    if (initial === OPEN_MAP && this.#openMaps) return this.#map(Infinity, depth);
    const argument = this.#argument(initial & 31);
    switch (major) {
      case 0:
        return narrow(argument);
      case 1:
        return narrow(-1n - argument);
      case 2:
        return this.#reader.take(this.#length(argument));
      case 3:
        return utf8Decode(this.#reader.take(this.#length(argument)));
      case 4:
        return this.#array(this.#length(argument), depth);
      case 5:
        return this.#map(this.#length(argument), depth);
      default:
        return this.#tag(argument, depth);
    }
  }

  #array(length: number, depth: number): CborValue[] {
    const values: CborValue[] = [];
    for (let index = 0; index < length; index += 1) values.push(this.item(depth + 1));
    return values;
  }

  #map(length: number, depth: number): Map<CborKey, CborValue> {
    const map = new Map<CborKey, CborValue>();
    let previous: Uint8Array | undefined;
    for (let index = 0; index < length; index += 1) {
      const start = this.#reader.offset;
      if (length === Infinity && this.#bytes[start] === BREAK) {
        this.#reader.u8();
        break;
      }
      const key = this.item(depth + 1);
      const encoded = this.#bytes.subarray(start, this.#reader.offset);
      if (typeof key !== 'number' && typeof key !== 'bigint' && typeof key !== 'string') {
        throw new FastnessError('CODEC_UNSUPPORTED', 'A CBOR map key that is neither an integer nor text.');
      }
      if (map.has(key)) throw new FastnessError('CODEC_MALFORMED', 'A CBOR map key occurs twice.');
      if (this.#sorted && previous !== undefined && compareBytes(previous, encoded) > 0) {
        throw new FastnessError('CODEC_NOT_CANONICAL', 'CBOR map keys out of order.');
      }
      previous = encoded;
      map.set(key, this.item(depth + 1));
    }
    return map;
  }

  #tag(argument: bigint, depth: number): CborTag {
    if (argument > BigInt(Number.MAX_SAFE_INTEGER)) throw new FastnessError('CODEC_LIMIT', 'A CBOR tag above 2^53.');
    return new CborTag(Number(argument), this.item(depth + 1));
  }

  #argument(info: number): bigint {
    if (info < 24) return BigInt(info);
    const [value, least] = this.#wideArgument(info);
    if (this.#shortest && value < least)
      throw new FastnessError('CODEC_NOT_CANONICAL', 'A CBOR integer that is not in its shortest form.');
    return value;
  }

  /** The argument and the least value that needs this width. */
  #wideArgument(info: number): [bigint, bigint] {
    switch (info) {
      case 24:
        return [BigInt(this.#reader.u8()), 24n];
      case 25:
        return [BigInt(this.#reader.u16be()), 0x100n];
      case 26:
        return [BigInt(this.#reader.u32be()), 0x1_0000n];
      case 27:
        return [this.#reader.u64be(), 0x1_0000_0000n];
      case 31:
        throw new FastnessError('CODEC_NOT_CANONICAL', 'CBOR of indefinite length.');
      default:
        throw new FastnessError('CODEC_MALFORMED', 'A reserved CBOR width.');
    }
  }

  /** A count of bytes or items: never more than the bytes left, as each takes at least one. */
  #length(argument: bigint): number {
    if (argument > BigInt(this.#reader.remaining)) {
      throw new FastnessError('CODEC_TRUNCATED', `${argument} expected, ${this.#reader.remaining} bytes left.`);
    }
    return Number(argument);
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function simple(info: number): boolean | null {
  if (info === 20) return false;
  if (info === 21) return true;
  if (info === 22) return null;
  if (info === 31) throw new FastnessError('CODEC_MALFORMED', 'A CBOR break outside an item.');
  throw new FastnessError('CODEC_UNSUPPORTED', 'A CBOR float or simple value.');
}
