import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { accessFile, maxAccessLength, readAccess, type Access } from '@fastness/model';
import type { Release } from '@fastness/model/release';

/**
 * The list of tenants of a release, from a file that the host can change: only what the key in the release signed counts, and
 * within this process never an older one.
 */
export class AccessList {
  readonly #path: string;
  readonly #release: RestrictedRelease;
  #access: Access;

  private constructor(path: string, release: RestrictedRelease, access: Access) {
    this.#path = path;
    this.#release = release;
    this.#access = access;
  }

  /** Undefined where the release lets everybody in. Throws ENCLAVE_ACCESS_MISSING, ACCESS_*. */
  static async open(
    dir: string,
    { modelId, access }: Pick<Release, 'modelId' | 'access'>,
  ): Promise<AccessList | undefined> {
    if (access === undefined) return undefined;
    const path = join(dir, accessFile);
    const release = { modelId, access };
    return new AccessList(path, release, await readAccess(await textOf(path), release));
  }

  get current(): Access {
    return this.#access;
  }

  /** Reads the file again; true when it held a newer list. Throws as `open`; then the list stays what it was. */
  async refresh(): Promise<boolean> {
    const found = await readAccess(await textOf(this.#path), this.#release);
    if (found.version < this.#access.version) {
      throw new FastnessError('ACCESS_OLDER', `Version ${found.version}, after ${this.#access.version}.`);
    }
    if (found.version === this.#access.version) return false;
    this.#access = found;
    return true;
  }
}

type RestrictedRelease = Pick<Release, 'modelId'> & { readonly access: NonNullable<Release['access']> };

async function textOf(path: string): Promise<string> {
  try {
    const facts = await stat(path);
    if (!facts.isFile() || facts.size > maxAccessLength) throw new Error('It is no file of the size allowed.');
    return utf8Decode(await readFile(path));
  } catch (cause) {
    throw new FastnessError('ENCLAVE_ACCESS_MISSING', undefined, { cause });
  }
}
