import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { Tee } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { errnoOf, readKernelFile } from '@fastness/evidence';

/** What was found out about one kind of device. */
export interface DeviceFinding {
  /** What it is, for people. */
  readonly kind: string;
  /** Where it was looked for. */
  readonly path: string;
  /**
   * `device`: it gives evidence beside that of a processor or TPM, never alone. `alone`: what it gives stands alone, and an
   * enclave does not take it unasked. Absent: it can be the root of trust.
   */
  readonly role?: 'device' | 'alone';
  /** The kind of its evidence, where that is known. */
  readonly tee?: Tee;
  /**
   * `usable`: evidence can be collected. `missing`: there is none, or its driver is not loaded. `not-permitted`: it is there,
   * and this user may not use it. `not-working`: it is there and does not do what it should.
   */
  readonly state: 'usable' | 'missing' | 'not-permitted' | 'not-working';
  readonly detail: string;
  /** What to do about it, one step a line. */
  readonly next: readonly string[];
  /** What a policy could ask of evidence from here: the section's name and members that belong to this machine. */
  readonly policy?: Readonly<Record<string, unknown>>;
  /** More facts, for people and machines. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** Whether a path is there and may be read and written. */
export async function accessOf(path: string): Promise<'usable' | 'missing' | 'not-permitted'> {
  try {
    await stat(path);
  } catch (error) {
    return errnoOf(error) === 'EACCES' ? 'not-permitted' : 'missing';
  }
  return await access(path, constants.R_OK | constants.W_OK).then(
    () => 'usable' as const,
    () => 'not-permitted' as const,
  );
}

/** As `readKernelFile`; undefined as well where it is not there or may not be read. */
export async function tryKernelFile(path: string, most = 1 << 20): Promise<Uint8Array | undefined> {
  return await readKernelFile(path, most).catch(() => undefined);
}

export async function readKernelText(path: string): Promise<string | undefined> {
  const bytes = await tryKernelFile(path);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes).trim();
}

/** What went wrong, and what the registry says about it. */
export function faultOf(error: unknown): { readonly detail: string; readonly next: readonly string[] } {
  return error instanceof FastnessError
    ? { detail: `${error.code}: ${error.message}`, next: [error.next] }
    : { detail: `The system says ${errnoOf(error)}.`, next: [] };
}
