import { readFileSync } from 'node:fs';
import inspector from 'node:inspector';
import { FastnessError } from '@fastness/codec/errors';
import type { Waiver } from '../start/waivers.ts';
import {
  libc,
  PR_GET_DUMPABLE,
  PR_GET_NO_NEW_PRIVS,
  PR_SET_DUMPABLE,
  PR_SET_NO_NEW_PRIVS,
  RLIMIT_CORE,
} from './libc.ts';

/**
 * What protects the memory of this process, as read back from the kernel after asking for it.
 *
 * This keeps other unprivileged processes and crash handlers out. It does not keep out root inside the same virtual
 * machine: the measured image has no other program for that reason. All of memory is not locked with mlockall(2):
 * V8 gives pages back with madvise(2), which the kernel refuses for locked pages, and V8 aborts. Swap is refused
 * instead, and the opened model is locked on its own where the limits allow it.
 */
export interface HardeningFacts {
  /** No core dump, no ptrace, no /proc/PID/mem for other processes of the same user (PR_SET_DUMPABLE 0). */
  readonly dumpable: boolean;
  /** Bytes; 0. */
  readonly coreLimit: number;
  readonly noNewPrivileges: boolean;
  /** Number of active swap areas. */
  readonly swapAreas: number;
  /** Whether the debugger runs, or SIGUSR1 would start it. Options of Node are checked before: see command-line.ts. */
  readonly debuggable: boolean;
  /** What the kernel counts time with: `tsc` is the processor's counter, `kvm-clock` and `hyperv_...` are the host's. */
  readonly clockSource: string;
  /** Whether the kernel was started with init_on_free=1, which zeroes pages as they are freed. */
  readonly zeroedWhenFreed: boolean;
}

/**
 * Call first thing in the process: threads and children that exist before are not reached.
 * Throws ENCLAVE_HARDENING when a measure did not take effect, ENCLAVE_SWAP_ACTIVE without its waiver.
 */
export function hardenProcess(options: { waivers: readonly Waiver[]; swapsPath?: string }): HardeningFacts {
  const c = libc();
  c.setRlimit(RLIMIT_CORE, 0n, 0n);
  c.prctl(PR_SET_DUMPABLE, 0);
  c.prctl(PR_SET_NO_NEW_PRIVS, 1);
  // Node starts its debugger on SIGUSR1 unless someone else listens.
  process.on('SIGUSR1', ignoreSignal);
  const facts = readHardening(options.swapsPath);
  if (facts.dumpable) throw new FastnessError('ENCLAVE_HARDENING', 'PR_SET_DUMPABLE: the process can still be dumped.');
  if (facts.coreLimit !== 0) throw new FastnessError('ENCLAVE_HARDENING', 'RLIMIT_CORE: core dumps are still allowed.');
  if (!facts.noNewPrivileges) throw new FastnessError('ENCLAVE_HARDENING', 'PR_SET_NO_NEW_PRIVS did not take effect.');
  if (facts.debuggable) throw new FastnessError('ENCLAVE_HARDENING', 'Node runs with a debugger.');
  if (facts.swapAreas > 0 && !options.waivers.some((waiver) => waiver.check === 'ENCLAVE_SWAP_ACTIVE')) {
    throw new FastnessError(
      'ENCLAVE_SWAP_ACTIVE',
      `${facts.swapAreas} area(s) in ${options.swapsPath ?? '/proc/swaps'}.`,
    );
  }
  return facts;
}

/** Reads the facts without changing anything. */
export function readHardening(swapsPath = '/proc/swaps'): HardeningFacts {
  const c = libc();
  return {
    dumpable: c.prctl(PR_GET_DUMPABLE, 0) !== 0,
    coreLimit: Number(c.getRlimit(RLIMIT_CORE).hard),
    noNewPrivileges: c.prctl(PR_GET_NO_NEW_PRIVS, 0) === 1,
    debuggable: inspector.url() !== undefined || process.listenerCount('SIGUSR1') === 0,
    clockSource: readClockSource(),
    swapAreas: countSwapAreas(readProc(swapsPath)),
    zeroedWhenFreed: readProc('/proc/cmdline').split(/\s+/u).includes('init_on_free=1'),
  };
}

function ignoreSignal(): void {
  // Listening is the point: see hardenProcess.
}

const clockSourcePath = '/sys/devices/system/clocksource/clocksource0/current_clocksource';

/** `unknown` where the kernel does not say: a sandbox without /sys, which is no real TEE. */
function readClockSource(): string {
  try {
    return readFileSync(clockSourcePath, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** The first line of /proc/swaps is its heading (proc(5)); zram and files count like partitions. */
export function countSwapAreas(swaps: string): number {
  return swaps
    .split('\n')
    .slice(1)
    .filter((line) => line.trim() !== '').length;
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FastnessError('ENCLAVE_HARDENING', `${path} cannot be read, so nothing can be said about it.`, { cause });
  }
}
