import { createRequire } from 'node:module';
import { FastnessError } from '@fastness/codec/errors';

type Koffi = typeof import('koffi').default;

let koffiModule: Koffi | undefined;

/** Loaded in the child process only, on first use. */
export function loadKoffi(): Koffi {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the package declares
  koffiModule ??= createRequire(import.meta.url)('koffi') as Koffi;
  return koffiModule;
}

/** A piece of native memory: its address for the module, its bytes for us. */
export interface Piece {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/**
 * Native memory for as long as the process runs, with views made once. What is read, decrypted and written through it
 * has no copies in the JavaScript heap. Whoever puts something there wipes it.
 */
export class NativeBlock {
  /** A number, as addresses of processes fit into its 53 bits on every 64-bit Linux. */
  readonly address: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;

  constructor(size: number) {
    const koffi = loadKoffi();
    const block: unknown = koffi.alloc('uint8', size);
    this.address = Number(koffi.address(block));
    if (!Number.isSafeInteger(this.address)) throw new FastnessError('KEYS_HSM_FAILED', 'An address of over 53 bits.');
    const buffer = koffi.view(block, size);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
  }

  /** An unsigned long, which is 8 bytes and little-endian wherever the store runs. */
  setUlong(offset: number, value: number): void {
    this.view.setUint32(offset, value % 2 ** 32, true);
    this.view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
  }

  /** One that is larger than a safe integer reads as infinity: no length is. */
  ulong(offset: number): number {
    const value = this.view.getUint32(offset, true) + this.view.getUint32(offset + 4, true) * 2 ** 32;
    return Number.isSafeInteger(value) ? value : Number.POSITIVE_INFINITY;
  }
}

/** Its views are made when they are asked for: most pieces need one, and a call has many pieces. */
class LaidPiece implements Piece {
  readonly #buffer: ArrayBuffer;
  readonly #base: bigint;
  readonly #offset: number;
  readonly #size: number;

  constructor(buffer: ArrayBuffer, base: bigint, offset: number, size: number) {
    this.#buffer = buffer;
    this.#base = base;
    this.#offset = offset;
    this.#size = size;
  }

  get address(): bigint {
    return this.#base + BigInt(this.#offset);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#buffer, this.#offset, this.#size);
  }

  get view(): DataView {
    return new DataView(this.#buffer, this.#offset, this.#size);
  }
}

/**
 * One block of native memory that every call builds its arguments in, from the beginning. Memory of the
 * JavaScript heap is not lent to modules: it would have to be found and copied to be wiped.
 */
export class Arena {
  readonly #base: bigint;
  readonly #buffer: ArrayBuffer;
  #used = 0;

  constructor(size: number) {
    const koffi = loadKoffi();
    const block: unknown = koffi.alloc('uint8', size);
    this.#base = koffi.address(block);
    this.#buffer = koffi.view(block, size);
  }

  /** `size` zeroed bytes, aligned to 8. */
  take(size: number): Piece {
    const offset = this.#used;
    if (offset + size > this.#buffer.byteLength) throw new FastnessError('KEYS_SIZE', 'More than one call may take.');
    this.#used = offset + Math.ceil(size / 8) * 8;
    return new LaidPiece(this.#buffer, this.#base, offset, size);
  }

  put(bytes: Uint8Array): Piece {
    const piece = this.take(bytes.length);
    piece.bytes.set(bytes);
    return piece;
  }

  /** An unsigned long. */
  ulong(value: number | bigint): Piece {
    const piece = this.take(8);
    piece.view.setBigUint64(0, BigInt(value), true);
    return piece;
  }

  /** Zeroes what was used and starts over. */
  reset(): void {
    new Uint8Array(this.#buffer, 0, this.#used).fill(0);
    this.#used = 0;
  }
}
