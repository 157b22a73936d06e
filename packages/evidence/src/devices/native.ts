import { createRequire } from 'node:module';
import { FastnessError } from '@fastness/codec/errors';

/** Memory at an address that a kernel or a library can be given. Never use its bytes after they are freed: copy what stays. */
export interface NativeMemory {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

type Koffi = typeof import('koffi').default;

/**
 * Loaded on first use: where no device is used, it need not be there.
 * @throws EVIDENCE_NATIVE
 */
export function koffi(): Koffi {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the package declares
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch (cause) {
    throw new FastnessError('EVIDENCE_NATIVE', 'The package koffi cannot be loaded.', { cause });
  }
}

/** Zeroed memory outside the heap of JavaScript, which nothing moves. */
export function allocate(size: number): NativeMemory & { free(): void } {
  const module = koffi();
  const pointer: unknown = module.alloc('uint8', size);
  const buffer = module.view(pointer, size);
  const bytes = new Uint8Array(buffer).fill(0);
  return {
    address: module.address(pointer),
    bytes,
    view: new DataView(buffer),
    free: () => module.free(pointer),
  };
}
