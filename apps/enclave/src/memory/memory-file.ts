import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import {
  EINVAL,
  F_ADD_SEALS,
  F_GET_SEALS,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  libc,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_NOEXEC_SEAL,
} from './libc.ts';

/** Where the bytes of a file that only memory may hold lie. */
type MemoryKind = 'memfd' | 'tmpfs';

/**
 * A file that exists in memory only and has no name: written once through `fd`, then sealed.
 *
 * Closing gives the pages back to the kernel, which hands out no page before it has zeroed it. Whether it zeroes them
 * already when they are freed is the kernel's setting `init_on_free` (reported by the hardening facts).
 */
export interface MemoryFile {
  readonly kind: MemoryKind;
  readonly fd: number;
  /** A path that engines can open while the file is open. */
  readonly path: string;
  size(): number;
  /** Forbids writing, growing, shrinking and unsealing (memfd); read-only access from here on either way. */
  seal(): void;
  /** Keeps the pages out of swap. Best effort: false where the limit on locked memory is too small. */
  lock(): boolean;
  read(): Uint8Array;
  close(): void;
}

export interface MemoryFileOptions {
  /** Shown in /proc/PID/maps; never derived from content. */
  readonly name: string;
  /** A directory on a tmpfs, for kernels or sandboxes that refuse memfd_create. */
  readonly tmpfsDir?: string | undefined;
  /** `tmpfs` skips memfd_create. */
  readonly kind?: MemoryKind | undefined;
}

const ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
const TMPFS_MAGIC = 0x01021994;

/** Throws ENCLAVE_NO_MEMORY_FILE, ENCLAVE_NOT_TMPFS. */
export function createMemoryFile(options: MemoryFileOptions): MemoryFile {
  if (options.kind !== 'tmpfs') {
    const fd = memfd(options.name);
    if (fd >= 0) return new OpenMemoryFile('memfd', fd);
  }
  if (options.tmpfsDir === undefined) {
    throw new FastnessError(
      'ENCLAVE_NO_MEMORY_FILE',
      `memfd_create was refused (errno ${libc().errno()}); no tmpfs is configured.`,
    );
  }
  return new OpenMemoryFile('tmpfs', unlinkedFile(options.tmpfsDir));
}

function memfd(name: string): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const fd = libc().memfdCreate(name, flags | MFD_NOEXEC_SEAL);
  // Kernels before 6.3 do not know MFD_NOEXEC_SEAL.
  return fd < 0 && libc().errno() === EINVAL ? libc().memfdCreate(name, flags) : fd;
}

/** Opened and at once unlinked in a directory of its own, so that no name ever leads to the plaintext. */
function unlinkedFile(tmpfsDir: string): number {
  if (statfsSync(tmpfsDir).type !== TMPFS_MAGIC) throw new FastnessError('ENCLAVE_NOT_TMPFS', tmpfsDir);
  const directory = mkdtempSync(join(tmpfsDir, 'fastness-'));
  try {
    return openSync(join(directory, 'model'), 'wx+', 0o600);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

class OpenMemoryFile implements MemoryFile {
  readonly kind: MemoryKind;
  #fd: number;
  #unlock: (() => void) | undefined;

  constructor(kind: MemoryKind, fd: number) {
    this.kind = kind;
    this.#fd = fd;
  }

  get fd(): number {
    return this.#fd;
  }

  get path(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  size(): number {
    return fstatSync(this.#fd).size;
  }

  seal(): void {
    if (this.kind === 'memfd') {
      libc().fcntl(this.#fd, F_ADD_SEALS, ALL_SEALS);
      const seals = libc().fcntl(this.#fd, F_GET_SEALS, 0);
      if (seals < 0 || (seals & ALL_SEALS) !== ALL_SEALS) {
        throw new FastnessError('ENCLAVE_MEMORY_NOT_SEALED', `Seals in force: ${seals}.`);
      }
      return;
    }
    // A tmpfs has no seals: a second, read-only descriptor takes the place of the writable one.
    const readOnly = openSync(this.path, 'r');
    closeSync(this.#fd);
    this.#fd = readOnly;
  }

  lock(): boolean {
    this.#unlock ??= libc().lockFile(this.#fd, this.size());
    return this.#unlock !== undefined;
  }

  read(): Uint8Array {
    const bytes = new Uint8Array(this.size());
    let offset = 0;
    while (offset < bytes.length) {
      const count = readSync(this.#fd, bytes, offset, bytes.length - offset, offset);
      if (count === 0) throw new FastnessError('ENCLAVE_MEMORY_NOT_SEALED', 'The file shrank while it was read.');
      offset += count;
    }
    return bytes;
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#unlock?.();
    closeSync(this.#fd);
    this.#fd = -1;
  }
}
