import koffi from 'koffi';
import { FastnessError } from '@fastness/codec/errors';

/**
 * The few calls of the C library that Node does not offer, for Linux on 64-bit processors. Loaded on first use.
 * Numbers: include/uapi/linux/{memfd,fcntl,prctl,resource,time,magic}.h.
 */
export interface Libc {
  memfdCreate(name: string, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  prctl(option: number, argument: number): number;
  getRlimit(resource: number): { soft: bigint; hard: bigint };
  setRlimit(resource: number, soft: bigint, hard: bigint): number;
  /** Maps `size` bytes of `fd` read-only, locks them into memory, and returns the way back; undefined when refused. */
  lockFile(fd: number, size: number): (() => void) | undefined;
  /**
   * CLOCK_BOOTTIME in milliseconds: rises evenly, also while the machine sleeps, and nobody inside can set it. It counts
   * by the kernel's clock source, and where that is kvm-clock or another of the host's, the host can slow it or stop it:
   * on real hardware the enclave therefore insists on `tsc` (ENCLAVE_CLOCK_SOURCE).
   */
  bootTimeMs(): number;
  errno(): number;
}

export const MFD_CLOEXEC = 0x1;
export const MFD_ALLOW_SEALING = 0x2;
export const MFD_NOEXEC_SEAL = 0x8;
export const F_ADD_SEALS = 1033;
export const F_GET_SEALS = 1034;
export const F_SEAL_SEAL = 0x1;
export const F_SEAL_SHRINK = 0x2;
export const F_SEAL_GROW = 0x4;
export const F_SEAL_WRITE = 0x8;
export const PR_GET_DUMPABLE = 3;
export const PR_SET_DUMPABLE = 4;
export const PR_SET_NO_NEW_PRIVS = 38;
export const PR_GET_NO_NEW_PRIVS = 39;
export const RLIMIT_CORE = 4;
export const EINVAL = 22;

const PROT_READ = 1;
const MAP_SHARED = 1;
const CLOCK_BOOTTIME = 7;

let loaded: Libc | undefined;

/** Throws ENCLAVE_HARDENING where there is no glibc to call. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  let library;
  try {
    library = koffi.load('libc.so.6');
  } catch (cause) {
    throw new FastnessError('ENCLAVE_HARDENING', 'The C library (libc.so.6) cannot be called.', { cause });
  }
  koffi.struct('fastness_rlimit', { soft: 'uint64', hard: 'uint64' });
  koffi.struct('fastness_timespec', { seconds: 'int64', nanoseconds: 'int64' });
  const memfdCreate = library.func('int memfd_create(const char *name, unsigned int flags)');
  const fcntl = library.func('int fcntl(int fd, int cmd, ...)');
  const prctl = library.func(
    'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  );
  const getrlimit = library.func('int getrlimit(int resource, _Out_ fastness_rlimit *limit)');
  const setrlimit = library.func('int setrlimit(int resource, const fastness_rlimit *limit)');
  const mmap = library.func('void *mmap(void *addr, size_t len, int prot, int flags, int fd, int64 offset)');
  const munmap = library.func('int munmap(void *addr, size_t len)');
  const mlock = library.func('int mlock(void *addr, size_t len)');
  const clockGettime = library.func('int clock_gettime(int clock, _Out_ fastness_timespec *time)');
  return {
    memfdCreate: (name, flags) => Number(memfdCreate(name, flags)),
    fcntl: (fd, command, argument) => Number(fcntl(fd, command, 'int', argument)),
    prctl: (option, argument) => Number(prctl(option, argument, 0, 0, 0)),
    getRlimit(resource) {
      const limit: { soft?: number | bigint; hard?: number | bigint } = {};
      if (getrlimit(resource, limit) !== 0) throw new FastnessError('ENCLAVE_HARDENING', 'getrlimit failed.');
      return { soft: BigInt(limit.soft ?? -1), hard: BigInt(limit.hard ?? -1) };
    },
    setRlimit: (resource, soft, hard) => Number(setrlimit(resource, { soft, hard })),
    lockFile(fd, size) {
      const address: unknown = mmap(null, size, PROT_READ, MAP_SHARED, fd, 0);
      if (address === null || koffi.address(address) === 0xffffffffffffffffn) return undefined;
      if (mlock(address, size) !== 0) {
        munmap(address, size);
        return undefined;
      }
      return () => void munmap(address, size);
    },
    bootTimeMs() {
      const time: { seconds?: number | bigint; nanoseconds?: number | bigint } = {};
      if (clockGettime(CLOCK_BOOTTIME, time) !== 0)
        throw new FastnessError('ENCLAVE_HARDENING', 'clock_gettime failed.');
      return Number(time.seconds) * 1000 + Number(time.nanoseconds) / 1e6;
    },
    errno: () => koffi.errno(),
  };
}
