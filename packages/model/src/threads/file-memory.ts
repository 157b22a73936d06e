import { statfsSync, writeSync } from 'node:fs';
import { FastnessError } from '@fastness/codec/errors';
import { nativeProcess } from '../native.ts';
import { asIoError } from './file-io.ts';

/*
 * A file in memory (a memfd, or a file on a tmpfs) as memory of this process, in huge pages. Writing such a file with
 * write(2) makes a page of 4 KiB at a time, which costs more than AES does; a huge page costs what zeroing it costs.
 *
 * The kernel gives files huge pages only where its administrator said so, but MADV_COLLAPSE (Linux 6.1) lets a process
 * ask for its own mapping; it wants something to be there already, so one byte is written into each first.
 */

// include/uapi/asm-generic/mman-common.h, mman.h; include/uapi/linux/magic.h
const PROT_NONE = 0;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x1;
const MAP_PRIVATE = 0x2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MADV_POPULATE_WRITE = 23;
const MADV_COLLAPSE = 25;
const MAP_FAILED = 2n ** 64n - 1n;
const TMPFS_MAGIC = 0x01021994;

const hugePage = 2 * 1024 * 1024;
/** Bytes that are prepared in one step; some ten milliseconds where the host has to find the memory first, else one. */
export const preparedPiece = 2 * hugePage;

/** Where a file is mapped, to hand to other threads. */
export interface FileMemory {
  readonly fd: number;
  readonly address: bigint;
  /** Bytes of the file. */
  readonly size: number;
}

interface Functions {
  readonly mmap: (...parameters: unknown[]) => unknown;
  readonly munmap: (...parameters: unknown[]) => unknown;
  readonly madvise: (...parameters: unknown[]) => unknown;
  readonly memcpy: (...parameters: unknown[]) => unknown;
  readonly errno: () => string;
}

let bound: Functions | undefined;

/** Of 64-bit Linux: elsewhere the numbers above differ. */
function functions(): Functions | undefined {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return undefined;
  const native = nativeProcess();
  if (native === undefined) return undefined;
  const { koffi, library } = native;
  bound ??= {
    mmap: library.func('void *mmap(void *addr, size_t len, int prot, int flags, int fd, int64 offset)'),
    munmap: library.func('int munmap(void *addr, size_t len)'),
    madvise: library.func('int madvise(void *addr, size_t len, int advice)'),
    memcpy: library.func('void *memcpy(void *to, const void *from, size_t len)'),
    errno: () => {
      const number = koffi.errno();
      return Object.entries(koffi.os.errno).find((entry) => entry[1] === number)?.[0] ?? `errno ${number}`;
    },
  };
  return bound;
}

/**
 * Maps a file that was just cut to `size` bytes and holds nothing; undefined when it does not lie in memory, when it is
 * too small to gain by it, or when the kernel gives no huge pages: then it is written. Every piece has to be prepared
 * before it is written to. `unmap` when no thread touches it any more. @throws SEAL_IO
 */
export function mapFile(fd: number, size: number): { memory: FileMemory; unmap: () => void } | undefined {
  const c = functions();
  if (c === undefined || size < preparedPiece || !liesInMemory(fd)) return undefined;
  // Huge pages need an aligned address, which mmap(2) does not promise: reserve more, and map within.
  const length = size + hugePage;
  const reserved = c.mmap(null, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (typeof reserved !== 'bigint' || reserved === MAP_FAILED) return undefined;
  const unmap = (): void => void c.munmap(reserved, length);
  const address = reserved + (-reserved & BigInt(hugePage - 1));
  const mapped = c.mmap(address, size, PROT_READ_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  try {
    if (mapped === address && collapse(c, { fd, address, size }, 0, hugePage)) {
      return { memory: { fd, address, size }, unmap };
    }
  } catch (error) {
    unmap();
    throw error;
  }
  unmap();
  return undefined;
}

function liesInMemory(fd: number): boolean {
  try {
    return statfsSync(`/proc/self/fd/${fd}`).type === TMPFS_MAGIC;
  } catch {
    return false;
  }
}

/** Whether the kernel did it. */
function collapse(c: Functions, { fd, address }: FileMemory, start: number, end: number): boolean {
  try {
    for (let offset = start; offset < end; offset += hugePage) writeSync(fd, Uint8Array.of(0), 0, 1, offset);
  } catch (error) {
    throw asIoError(error);
  }
  return c.madvise(address + BigInt(start), end - start, MADV_COLLAPSE) === 0;
}

/**
 * Gives the piece at `start` its pages, which hold zeros then. From here on writing to them cannot fail: what would be
 * a signal that ends the process is an error here. @throws SEAL_IO
 */
export function prepareMemory(memory: FileMemory, start: number): number {
  const c = functions();
  if (c === undefined) throw new FastnessError('SEAL_WORKER', 'No native calls in this thread.');
  const end = Math.min(start + preparedPiece, memory.size);
  // Memory may be too fragmented for some: then they are small pages.
  collapse(c, memory, start, end);
  if (c.madvise(memory.address + BigInt(start), end - start, MADV_POPULATE_WRITE) !== 0) {
    throw new FastnessError('SEAL_IO', `(${c.errno()})`);
  }
  return end - start;
}

/** Writes all of `source` at `offset` of the file. */
export function copyIntoMemory({ address, size }: FileMemory, source: Uint8Array, offset: number): void {
  const fits = Number.isSafeInteger(offset) && offset >= 0 && offset + source.length <= size;
  const c = functions();
  if (c === undefined || !fits) throw new FastnessError('SEAL_WORKER', 'Outside of the mapped file.');
  if (source.length > 0) c.memcpy(address + BigInt(offset), source, source.length);
}
