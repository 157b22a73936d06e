import { ecdsaSignatureFromRaw } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyInfo, KeyPurpose, KeySpec } from '../key-store.ts';
import { maxKeys, maxVersions } from '../software/content.ts';
import { bindingOf } from './binding.ts';
import { Catalog, infoOf, isThere, requirePurpose } from './catalog.ts';
import { checkKey, type CheckedKey } from './checked-key.ts';
import { isUnsupported } from './errors.ts';
import { GcmOpener, type Target } from './gcm-opener.ts';
import { exercise, generateKey, kindsFor } from './generate.ts';
import {
  signRaw,
  unwrapByGcm,
  unwrapByGcmTo,
  unwrapByRsa,
  wrapAlgorithms,
  wrapByGcm,
  wrapByRsa,
  type GcmHabit,
  type PlacedKey,
} from './mechanisms.ts';
import type { WrappingWay } from './messages.ts';
import type { Module } from './module.ts';
import {
  ckaId,
  describeKey,
  destroyObject,
  labelOf,
  objectsOf,
  setLabel,
  type KeyObject,
  type ObjectName,
} from './objects.ts';

/** A version that nobody finished making is cleared away after this many seconds. */
const abandonedAfter = 120;

/** Which key a wrapped one is under. */
interface UnwrapName {
  readonly id: string;
  readonly version: number;
  readonly algorithm: string;
}

/** The keys of one token, inside the child. Every method is synchronous: one thing at a time on one session. */
export class TokenKeys {
  readonly #module: Module;
  readonly #session: bigint;
  readonly #catalog: Catalog;
  readonly #wrapping: 'auto' | WrappingWay;
  readonly #habit: GcmHabit = { iv: 'ours' };
  readonly #opener: GcmOpener;

  constructor(module: Module, session: bigint, wrapping: 'auto' | WrappingWay) {
    this.#module = module;
    this.#session = session;
    this.#wrapping = wrapping;
    this.#catalog = new Catalog(module, session);
    this.#opener = new GcmOpener(module, session);
  }

  list(): KeyInfo[] {
    return this.#catalog.list();
  }

  create({ id, purpose, algorithm }: KeySpec, now: Date): KeyInfo {
    const objects = this.#catalog.read();
    if (objects.some((object) => object.id === id && isThere(object))) throw new FastnessError('KEYS_ID_EXISTS', id);
    const held = new Set(objects.map((object) => object.id)).size;
    if (held >= maxKeys) throw new FastnessError('KEYS_FULL', `It holds ${held} keys.`);
    this.#addVersion({ id, purpose, version: 1 }, algorithm, now.toISOString(), now);
    return infoOf(this.#catalog.versions(id, true));
  }

  rotate(id: string, now: Date): KeyInfo {
    const versions = this.#enabled(id);
    const current = versions.at(-1);
    if (current === undefined) throw new FastnessError('KEYS_ID_UNKNOWN', id);
    if (versions.length >= maxVersions) throw new FastnessError('KEYS_FULL', `${id} has ${maxVersions} versions.`);
    const name = { id, purpose: current.purpose, version: current.version + 1 };
    this.#addVersion(name, 'AES-256-GCM', current.createdAt, now);
    return infoOf(this.#catalog.versions(id, true));
  }

  retire(id: string, before: number): KeyInfo {
    const versions = this.#enabled(id);
    const current = versions.at(-1)?.version ?? 0;
    if (!Number.isInteger(before) || before < 1 || before > current) {
      throw new FastnessError('KEYS_VERSION_UNKNOWN', `The current version of ${id} is ${current}.`);
    }
    for (const object of versions) if (object.version < before) this.#destroy(object);
    return infoOf(this.#catalog.versions(id, true));
  }

  setDisabled(id: string, disabled: boolean, now: Date): KeyInfo {
    const since = Math.floor(now.getTime() / 1000);
    for (const object of this.#catalog.versions(id, true)) {
      if ((object.state.kind === 'disabled') === disabled) continue;
      const state = disabled ? ({ kind: 'disabled', since } as const) : ({ kind: 'active' } as const);
      setLabel(this.#module, this.#session, object.handle, labelOf(object, object.createdAt, state));
    }
    return infoOf(this.#catalog.versions(id, true));
  }

  /** All versions, the oldest first. A key that is in use must be disabled before. */
  destroy(id: string): void {
    const versions = this.#catalog.versions(id, true);
    if (!versions.some(({ state }) => state.kind === 'disabled')) throw new FastnessError('KEYS_NOT_DISABLED', id);
    for (const object of versions) this.#destroy(object);
    this.#catalog.read();
  }

  publicKey(id: string): Uint8Array {
    const key = this.#current(id, 'sign');
    if (key.way !== 'sign') throw new FastnessError('KEYS_PURPOSE', id);
    return key.spki;
  }

  sign(id: string, message: Uint8Array): Uint8Array {
    const key = this.#current(id, 'sign');
    if (key.way !== 'sign') throw new FastnessError('KEYS_PURPOSE', id);
    const raw = signRaw(this.#module, this.#session, key.handle, key.curve, message);
    return key.curve === 'Ed25519' ? raw : ecdsaSignatureFromRaw(raw);
  }

  wrap(
    id: string,
    plaintext: Uint8Array,
    context: Uint8Array,
  ): { version: number; algorithm: string; ciphertext: Uint8Array } {
    const object = this.#catalog.versions(id).at(-1);
    if (object === undefined) throw new FastnessError('KEYS_ID_UNKNOWN', id);
    const key = this.#catalog.usable(object, 'wrap');
    if (key.way === 'sign') throw new FastnessError('KEYS_PURPOSE', id);
    const binding = bindingOf(id, object.version, context);
    const ciphertext =
      key.way === 'aes-gcm'
        ? wrapByGcm(this.#module, this.#session, key.handle, this.#habit, binding, plaintext)
        : wrapByRsa(key.spki, binding, plaintext);
    return { version: object.version, algorithm: wrapAlgorithms[key.way], ciphertext };
  }

  /** `binding`: of this id and version, and the context (see `bindingOf`). */
  unwrap(name: UnwrapName, ciphertext: Uint8Array, binding: Uint8Array): Uint8Array {
    const key = this.#unwrapping(name);
    return key.way === 'aes-gcm'
      ? unwrapByGcm(this.#module, this.#session, key.handle, this.#habit, binding, ciphertext)
      : unwrapByRsa(this.#module, this.#session, key, binding, ciphertext);
  }

  /** The same for a request in native memory, to native memory: how many bytes of plaintext lie at `target`. */
  unwrapTo(name: UnwrapName, placed: PlacedKey, target: Target): number {
    const key = this.#unwrapping(name);
    if (key.way === 'aes-gcm') {
      return unwrapByGcmTo(this.#module, this.#session, key.handle, this.#habit, this.#opener, placed, target);
    }
    const part = ([offset, length]: readonly [number, number]): Uint8Array =>
      placed.block.bytes.subarray(offset, offset + length);
    const plaintext = unwrapByRsa(this.#module, this.#session, key, part(placed.binding), part(placed.ciphertext));
    target.block.bytes.set(plaintext, target.offset);
    plaintext.fill(0);
    return plaintext.length;
  }

  #unwrapping({ id, version, algorithm }: UnwrapName): Exclude<CheckedKey, { way: 'sign' }> {
    const key = this.#catalog.usable(this.#catalog.version(id, version), 'wrap');
    if (key.way === 'sign') throw new FastnessError('KEYS_PURPOSE', id);
    if (algorithm !== wrapAlgorithms[key.way]) throw new FastnessError('KEYS_WRAPPED_ALGORITHM');
    return key;
  }

  #current(id: string, purpose: KeyPurpose): ReturnType<Catalog['usable']> {
    const object = this.#catalog.versions(id).at(-1);
    if (object === undefined) throw new FastnessError('KEYS_ID_UNKNOWN', id);
    return this.#catalog.usable(object, purpose);
  }

  /** The versions of a wrapping key that may be changed. */
  #enabled(id: string): KeyObject[] {
    const versions = this.#catalog.versions(id, true);
    for (const object of versions) {
      requirePurpose(object, 'wrap');
      if (object.state.kind === 'disabled') throw new FastnessError('KEYS_DISABLED', id);
    }
    return versions;
  }

  /**
   * Makes a version in three steps, because a token knows no unique names: made as pending, which nobody uses; looked
   * whether somebody else made the same one meanwhile; made active. Of two processes at least one sees the other and
   * withdraws, and nothing was wrapped under what it withdraws.
   */
  #addVersion(name: ObjectName, algorithm: KeySpec['algorithm'], createdAt: string, now: Date): void {
    const seconds = Math.floor(now.getTime() / 1000);
    this.#clearAbandoned(name, seconds);
    let refusal: unknown;
    for (const kind of kindsFor(algorithm, this.#wrapping)) {
      let made: bigint[] = [];
      try {
        const label = labelOf(name, createdAt, { kind: 'pending', since: seconds });
        made = generateKey(this.#module, this.#session, kind, { token: true, id: ckaId(name), label });
        const [handle] = made;
        const object = handle === undefined ? undefined : describeKey(this.#module, this.#session, handle);
        if (handle === undefined || object === undefined) {
          throw new FastnessError('KEYS_HSM_UNSUPPORTED', 'It does not keep the id that a key is made with.');
        }
        exercise(this.#module, this.#session, checkKey(this.#module, this.#session, object), this.#habit);
        const others = objectsOf(this.#module, this.#session, name).filter((other) => !made.includes(other));
        if (others.length > 0) throw new FastnessError('KEYS_HSM_CONFLICT', `${name.id} version ${name.version}`);
        setLabel(this.#module, this.#session, handle, labelOf(name, createdAt, { kind: 'active' }));
        return;
      } catch (error) {
        for (const handle of made) destroyObject(this.#module, this.#session, handle);
        refusal = error;
        const next = isUnsupported(error) || (error instanceof FastnessError && error.code === 'KEYS_HSM_UNSUPPORTED');
        if (!next) throw error;
      }
    }
    throw refusal;
  }

  #clearAbandoned(name: ObjectName, seconds: number): void {
    for (const object of this.#catalog.read()) {
      const same = object.id === name.id && object.version === name.version && object.state.kind === 'pending';
      if (!same) continue;
      if (object.state.kind === 'pending' && seconds - object.state.since < abandonedAfter) {
        throw new FastnessError('KEYS_HSM_CONFLICT', `${name.id} version ${name.version} is being made.`);
      }
      this.#destroy(object);
    }
  }

  #destroy(name: ObjectName): void {
    for (const handle of objectsOf(this.#module, this.#session, name)) {
      destroyObject(this.#module, this.#session, handle);
    }
  }
}
