import { FastnessError } from '@fastness/codec/errors';
import { keyIdPattern } from '../wrapped-key.ts';
import type { CloudKey, CloudVersion } from './backend.ts';

/** How long what a service said about its keys is used again, milliseconds. */
export const defaultCatalogAge = 60_000;
/** How soon a key that is not there is looked for again: strangers must not be able to use up the quota. */
const missAge = 2000;

/** Remembers which keys a service has. Changes made elsewhere are seen when it has grown old, or by a miss. */
export class Catalog {
  readonly #read: () => Promise<CloudKey[]>;
  readonly #maxAge: number;
  #keys: ReadonlyMap<string, CloudKey> = new Map();
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(read: () => Promise<CloudKey[]>, maxAge: number) {
    this.#read = read;
    this.#maxAge = maxAge;
  }

  async all(): Promise<CloudKey[]> {
    await this.refresh();
    return [...this.#keys.values()];
  }

  /** Reads anew, not sharing a reading that began before this call. */
  async refresh(): Promise<void> {
    await this.#reading?.catch(() => undefined);
    await this.#load();
  }

  /** Errors: KEYS_ID_UNKNOWN. */
  async key(id: string): Promise<CloudKey> {
    const key = await this.#find((keys) => keys.get(id));
    if (key === undefined) throw new FastnessError('KEYS_ID_UNKNOWN', keyIdPattern.test(id) ? id : undefined);
    return key;
  }

  /** Errors: KEYS_ID_UNKNOWN, KEYS_VERSION_UNKNOWN. */
  async version(id: string, version: number): Promise<{ key: CloudKey; version: CloudVersion }> {
    const pick = (key: CloudKey | undefined): CloudVersion | undefined =>
      key?.versions.find((candidate) => candidate.version === version);
    const found = await this.#find((keys) => pick(keys.get(id)));
    const key = await this.key(id);
    if (found === undefined) throw new FastnessError('KEYS_VERSION_UNKNOWN', `${id} version ${version}`);
    return { key, version: found };
  }

  async #find<T>(pick: (keys: ReadonlyMap<string, CloudKey>) => T | undefined): Promise<T | undefined> {
    if (performance.now() - this.#readAt > this.#maxAge) await this.#load();
    const found = pick(this.#keys);
    if (found !== undefined || performance.now() - this.#readAt < missAge) return found;
    await this.#load();
    return pick(this.#keys);
  }

  #load(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const keys = await this.#read();
    this.#keys = new Map(keys.map((key) => [key.id, key]));
    this.#readAt = performance.now();
  }
}
