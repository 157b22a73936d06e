import { FastnessError } from '@fastness/codec/errors';
import type { KeyInfo, KeyPurpose } from '../key-store.ts';
import { checkKey, type CheckedKey } from './checked-key.ts';
import { describeKey, findKeys, type KeyObject } from './objects.ts';
import type { Module } from './module.ts';

/** How long what was read from the token is believed, milliseconds: other processes rotate and disable. */
const believed = 1000;

/** What is on the token, and what of it was checked. Keys are read anew when what is known is a second old. */
export class Catalog {
  readonly #module: Module;
  readonly #session: bigint;
  readonly #checked = new Map<bigint, CheckedKey>();
  #objects: readonly KeyObject[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  /** When an object itself was last looked at. */
  readonly #seenAt = new Map<bigint, number>();

  constructor(module: Module, session: bigint) {
    this.#module = module;
    this.#session = session;
  }

  /** Every object of this store, read from the token now. */
  read(): readonly KeyObject[] {
    this.#objects = findKeys(this.#module, this.#session);
    this.#readAt = performance.now();
    this.#seenAt.clear();
    const handles = new Set(this.#objects.map(({ handle }) => handle));
    for (const handle of this.#checked.keys()) if (!handles.has(handle)) this.#checked.delete(handle);
    return this.#objects;
  }

  /** The versions of a key, ascending. Errors: KEYS_ID_UNKNOWN, KEYS_HSM_AMBIGUOUS. */
  versions(id: string, fresh = false): KeyObject[] {
    if (fresh || performance.now() - this.#readAt > believed) this.read();
    const versions = versionsOf(this.#objects, id);
    if (versions.length === 0) throw new FastnessError('KEYS_ID_UNKNOWN', id);
    return versions;
  }

  /** One version, as the token has it; `fresh` within a second. Errors: also KEYS_VERSION_UNKNOWN. */
  version(id: string, version: number): KeyObject {
    const object = this.#only(id, version);
    const seen = object === undefined ? undefined : (this.#seenAt.get(object.handle) ?? this.#readAt);
    if (object !== undefined && object.state.kind !== 'pending' && seen !== undefined) {
      const now = performance.now();
      if (now - seen <= believed) return object;
      // One object is looked at, not the whole token: unwrapping must not slow down with the number of keys.
      const current = describeKey(this.#module, this.#session, object.handle);
      if (current !== undefined && current.id === id && current.version === version) {
        this.#seenAt.set(object.handle, now);
        this.#objects = this.#objects.map((other) => (other.handle === current.handle ? current : other));
        return current;
      }
    }
    const found = this.versions(id, true).find((candidate) => candidate.version === version);
    if (found === undefined) throw new FastnessError('KEYS_VERSION_UNKNOWN', `${id} version ${version}`);
    return found;
  }

  /** The one object known as this version; undefined where there is none, or several. */
  #only(id: string, version: number): KeyObject | undefined {
    let found: KeyObject | undefined;
    for (const object of this.#objects) {
      if (object.version !== version || object.id !== id) continue;
      if (found !== undefined) return undefined;
      found = object;
    }
    return found;
  }

  /** Errors: KEYS_PURPOSE, KEYS_DISABLED, KEYS_HSM_EXTRACTABLE, KEYS_HSM_USAGE, KEYS_HSM_AMBIGUOUS. */
  usable(object: KeyObject, purpose: KeyPurpose): CheckedKey {
    requirePurpose(object, purpose);
    if (object.state.kind === 'disabled') throw new FastnessError('KEYS_DISABLED', object.id);
    const known = this.#checked.get(object.handle);
    if (known !== undefined) return known;
    const checked = checkKey(this.#module, this.#session, object);
    this.#checked.set(object.handle, checked);
    return checked;
  }

  list(): KeyInfo[] {
    const objects = this.read();
    const ids = [...new Set(objects.filter(isThere).map(({ id }) => id))].sort();
    return ids.map((id) => infoOf(versionsOf(objects, id)));
  }
}

export function requirePurpose(object: KeyObject, purpose: KeyPurpose): void {
  if (object.purpose !== purpose) {
    throw new FastnessError('KEYS_PURPOSE', `${object.id} ${object.purpose === 'wrap' ? 'wraps' : 'signs'}.`);
  }
}

export function isThere({ state }: KeyObject): boolean {
  return state.kind !== 'pending';
}

function versionsOf(objects: readonly KeyObject[], id: string): KeyObject[] {
  const versions = objects.filter((object) => object.id === id && isThere(object));
  const numbers = new Set(versions.map(({ version }) => version));
  const purposes = new Set(versions.map(({ purpose }) => purpose));
  if (numbers.size !== versions.length || purposes.size > 1) {
    throw new FastnessError('KEYS_HSM_AMBIGUOUS', `Several objects on the token are ${id}.`);
  }
  return versions.sort((left, right) => left.version - right.version);
}

/** Of a non-empty list of versions. */
export function infoOf(versions: readonly KeyObject[]): KeyInfo {
  const current = versions.at(-1);
  if (current?.algorithm === undefined) {
    throw new FastnessError('KEYS_HSM_USAGE', 'A key is of a type that this store does not use.');
  }
  const disabled = versions.map(({ state }) => (state.kind === 'disabled' ? state.since : undefined));
  const since = disabled.find((seconds) => seconds !== undefined);
  return {
    id: current.id,
    purpose: current.purpose,
    algorithm: current.algorithm,
    version: current.version,
    versions: versions.map(({ version }) => version),
    createdAt: current.createdAt,
    ...(since === undefined ? {} : { disabledAt: new Date(since * 1000).toISOString() }),
  };
}
