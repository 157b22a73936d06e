import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { FastnessError } from '@fastness/codec/errors';
import { allocate, koffi, type NativeMemory } from './native.ts';

export type { NativeMemory } from './native.ts';

/** What ioctl(2) said: 0, or a negative errno. */
export type Ioctl = (request: bigint, argument: bigint) => number;

export interface IoctlOptions {
  /** Library with `ioctl`. Default: the C library of the system. */
  readonly library?: string;
  /** Milliseconds until a busy device is asked again, doubled each time. Default: 25. */
  readonly pauseMs?: number;
}

interface Native {
  /** Kept, because koffi unloads a library whose object is collected. */
  readonly library: unknown;
  ioctl(fd: number, request: bigint, argument: bigint): number;
}

/** Another user of the device, or a signal, was first. The names are those of the C library. */
const busy: ReadonlySet<string> = new Set(['EINTR', 'EAGAIN', 'EBUSY']);
const ATTEMPTS = 8;
const loaded = new Map<string, Native>();

/**
 * Opens a device for one piece of work. ioctl(2) is called from this thread, because its errno is the thread's: while the
 * firmware answers nothing else runs here.
 * @throws EVIDENCE_UNREACHABLE, EVIDENCE_NATIVE
 */
export async function withDevice<T>(
  path: string,
  { library = 'libc.so.6' }: IoctlOptions,
  work: (ioctl: Ioctl, allocate: (size: number) => NativeMemory) => Promise<T>,
): Promise<T> {
  const native = load(library);
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW).catch((cause: unknown) => {
    throw new FastnessError('EVIDENCE_UNREACHABLE', `${path} cannot be opened.`, { cause });
  });
  const pieces: { free(): void }[] = [];
  try {
    return await work(
      (request, argument) => native.ioctl(file.fd, request, argument),
      (size) => {
        const piece = allocate(size);
        pieces.push(piece);
        return piece;
      },
    );
  } finally {
    for (const piece of pieces) piece.free();
    await file.close();
  }
}

/**
 * Calls until the device is not busy. `attempt` sets its arguments anew, since a call may have changed them, and returns
 * what ioctl(2) said; whether that means "busy" is in errno, or in `isBusy`.
 * @returns the last answer: 0, or a negative errno that is not "busy"
 * @throws EVIDENCE_TIMEOUT
 */
export async function untilNotBusy(
  path: string,
  { pauseMs = 25 }: IoctlOptions,
  attempt: () => number,
  isBusy: () => boolean = () => false,
): Promise<number> {
  for (let round = 0; round < ATTEMPTS; round += 1) {
    const answer = attempt();
    if (!(answer < 0 && (busy.has(errnoName(answer)) || isBusy()))) return answer;
    await sleep(pauseMs * 2 ** round);
  }
  throw new FastnessError('EVIDENCE_TIMEOUT', `${path}: busy ${ATTEMPTS} times.`);
}

/** `EIO` for -5; the number where it has no name here. */
export function errnoName(answer: number): string {
  const names = Object.entries(koffi().os.errno);
  return names.find(([, value]) => value === -answer)?.[0] ?? `errno ${-answer}`;
}

function load(path: string): Native {
  const known = loaded.get(path);
  if (known !== undefined) return known;
  const module = koffi();
  let library;
  let function_;
  try {
    library = module.load(path);
    function_ = library.func('int ioctl(int fd, unsigned long request, ...)');
  } catch (cause) {
    throw new FastnessError('EVIDENCE_NATIVE', `${path} cannot be called.`, { cause });
  }
  const native: Native = {
    library,
    ioctl(fd, request, argument) {
      const answer = Number(function_(fd, request, 'uint64', argument));
      return answer === -1 ? -module.errno() : answer;
    },
  };
  loaded.set(path, native);
  return native;
}
