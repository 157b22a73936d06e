import { CKM, CKR } from './constants.ts';
import { NativeBlock } from './memory.ts';
import { maxOutput, ModuleError, type Module } from './module.ts';

/** Where in a block plaintext goes; `maxOutput` bytes from there are the module's to write to. */
export interface Target {
  readonly block: NativeBlock;
  readonly offset: number;
}

/** Where in a block the arguments of one decryption lie. */
export interface Sealed {
  readonly block: NativeBlock;
  /** Offset of the 12 bytes. */
  readonly iv: number;
  /** The associated data. */
  readonly binding: readonly [offset: number, length: number];
  /** Ciphertext and tag. */
  readonly sealed: readonly [offset: number, length: number];
}

const ivBytes = 12;
const tagBits = 128;
// CK_MECHANISM: type, address and length of the parameter. CK_GCM_PARAMS: address and length of the iv, its bits, address
// and length of the associated data, bits of the tag. Behind them the length of the output.
const parameterAt = 24;
const parameterBytes = 48;
const lengthAt = parameterAt + parameterBytes;

/**
 * AES-GCM decryption from native memory to native memory, without a copy and almost without an object: what costs a
 * software token microseconds is not made twice as dear by laying out its arguments.
 */
export class GcmOpener {
  readonly #module: Module;
  readonly #session: bigint;
  readonly #arguments = new NativeBlock(lengthAt + 8);

  constructor(module: Module, session: bigint) {
    this.#module = module;
    this.#session = session;
  }

  /** How many bytes of plaintext lie at `target` now. Errors: ModuleError; then nothing lies there. */
  open(key: bigint, { block, iv, binding, sealed }: Sealed, target: Target): number {
    const given = this.#arguments;
    // All of it every time: a module may write to its arguments.
    given.setUlong(0, CKM.AES_GCM);
    given.setUlong(8, given.address + parameterAt);
    given.setUlong(16, parameterBytes);
    given.setUlong(parameterAt, block.address + iv);
    given.setUlong(parameterAt + 8, ivBytes);
    given.setUlong(parameterAt + 16, ivBytes * 8);
    given.setUlong(parameterAt + 24, block.address + binding[0]);
    given.setUlong(parameterAt + 32, binding[1]);
    given.setUlong(parameterAt + 40, tagBits);
    given.setUlong(lengthAt, maxOutput);
    const output = target.block.address + target.offset;
    try {
      this.#module.call('C_DecryptInit', this.#session, given.address, key);
      const source = block.address + sealed[0];
      this.#module.call('C_Decrypt', this.#session, source, sealed[1], output, given.address + lengthAt);
      const written = given.ulong(lengthAt);
      if (written > maxOutput) throw new ModuleError('C_Decrypt', CKR.BUFFER_TOO_SMALL);
      return written;
    } catch (error) {
      target.block.bytes.fill(0, target.offset, target.offset + maxOutput);
      throw error;
    }
  }
}
