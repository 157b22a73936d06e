import { createHash } from 'node:crypto';
import { access, constants, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { concatBytes, equalBytes, toHex } from '@fastness/codec';
import { encodeRuntimeEvent } from '@fastness/attest/event-log';
import { FastnessError } from '@fastness/codec/errors';
import type { RuntimeEvent } from '../collector.ts';
import { errnoOf, readKernelFile } from './kernel-file.ts';

/** Register of what the enclave measures of itself: firmware and kernel leave it at zero. */
export const TDX_RUNTIME_RTMR = 3;
/** RTMR3 in Linux from 6.16 on (Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest): to be read, and to be extended by writing. */
export const TDX_RTMR_FILE = '/sys/class/misc/tdx_guest/measurements/rtmr3:sha384';

const REGISTER_BYTES = 48;
const ATTEMPTS = 8;
const busy: ReadonlySet<string> = new Set(['EBUSY', 'EINTR', 'EAGAIN']);

export interface TdxRtmrOptions {
  /** Default: {@link TDX_RTMR_FILE}. */
  readonly path?: string;
  /** Default: write(2) of all bytes at once; a file that is none of the kernel's has to be extended by somebody. */
  readonly writeDigest?: (path: string, digest: Uint8Array) => Promise<void>;
  /** Milliseconds until a busy register is written again, doubled each time. Default: 25. */
  readonly pauseMs?: number;
}

/**
 * What extends {@link TDX_RUNTIME_RTMR} of this trust domain; undefined where the kernel has no such register or this user may
 * not write to it. After each write the register is read: it has to be what this event makes of it, or somebody else extends
 * it too and what it states is not known any more.
 */
export async function openTdxRtmr(
  options: TdxRtmrOptions = {},
): Promise<((event: RuntimeEvent) => Promise<void>) | undefined> {
  const { path = TDX_RTMR_FILE, writeDigest = writeOnce, pauseMs = 25 } = options;
  if (!(await isWritable(path))) return undefined;
  return async (event) => {
    const digest = digestOf(event);
    const before = await readRegister(path);
    const expected = extended(before, digest);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const failure = await writeDigest(path, digest).then(
        () => undefined,
        (error: unknown) => error ?? 'unknown',
      );
      const after = await readRegister(path);
      if (equalBytes(after, expected)) return;
      // A call that failed has extended nothing, or this would not be the old value.
      if (failure === undefined || !equalBytes(after, before)) {
        throw new FastnessError(
          'EVIDENCE_RESPONSE',
          `RTMR${TDX_RUNTIME_RTMR}: expected ${toHex(expected)}, found ${toHex(after)}. Something else extends it.`,
        );
      }
      if (!busy.has(errnoOf(failure)))
        throw new FastnessError('EVIDENCE_REFUSED', `${path}: ${errnoOf(failure)}.`, { cause: failure });
      await sleep(pauseMs * 2 ** attempt);
    }
    throw new FastnessError('EVIDENCE_TIMEOUT', `${path}: busy ${ATTEMPTS} times.`);
  };
}

/** RTMR{@link TDX_RUNTIME_RTMR} after these events and no others, hex: for `rtmrs` of the policy's `tdx` section. */
export function tdxRuntimeRegister(events: readonly RuntimeEvent[]): string {
  return toHex(
    events.reduce<Uint8Array>((register, event) => extended(register, digestOf(event)), new Uint8Array(REGISTER_BYTES)),
  );
}

function digestOf(event: RuntimeEvent): Uint8Array {
  return new Uint8Array(createHash('sha384').update(encodeRuntimeEvent(event)).digest());
}

/** TDG.MR.RTMR.EXTEND (Intel TDX Module ABI): SHA-384 of the old value and what is added. */
function extended(register: Uint8Array, digest: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha384').update(concatBytes(register, digest)).digest());
}

async function readRegister(path: string): Promise<Uint8Array> {
  const bytes = await readKernelFile(path, REGISTER_BYTES).catch((cause: unknown) => {
    throw new FastnessError('EVIDENCE_UNREACHABLE', `${path} cannot be read: ${errnoOf(cause)}.`, { cause });
  });
  if (bytes?.length !== REGISTER_BYTES)
    throw new FastnessError('EVIDENCE_RESPONSE', `${path} has not ${REGISTER_BYTES} bytes.`);
  return bytes;
}

async function writeOnce(path: string, digest: Uint8Array): Promise<void> {
  await using file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  const { bytesWritten } = await file.write(digest, 0, digest.length, 0);
  if (bytesWritten !== digest.length)
    throw new FastnessError('EVIDENCE_REFUSED', `${path} took ${bytesWritten} bytes.`);
}

async function isWritable(path: string): Promise<boolean> {
  return await access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}
