import { FastnessError } from '@fastness/codec/errors';
import { equalBytes, fromHex } from '@fastness/codec/bytes';
import { keyIdPattern } from '../wrapped-key.ts';
import type { KeyAlgorithm, KeyPurpose } from '../key-store.ts';
import { CKA, CKK, CKO, CKR } from './constants.ts';
import { layTemplate, ModuleError, type Module, type Template } from './module.ts';

/*
 * Names of objects. CKA_ID holds "fastness:1:PURPOSE:ID:VERSION" and is what keys are found by. CKA_LABEL repeats id
 * and version for people and holds what may change: "fastness ID vVERSION CREATED STATE", where STATE is `active`,
 * `pending@SECONDS` (a version that nobody may use yet) or `disabled@SECONDS`. Every object of a version has both.
 */

export interface ObjectName {
  readonly purpose: KeyPurpose;
  readonly id: string;
  readonly version: number;
}

export type ObjectState =
  { readonly kind: 'active' } | { readonly kind: 'pending' | 'disabled'; readonly since: number };

/** A private or secret key on the token, as its attributes describe it. */
export interface KeyObject extends ObjectName {
  readonly handle: bigint;
  /** When the key (not this version) was created, ISO 8601. */
  readonly createdAt: string;
  readonly state: ObjectState;
  /** Undefined for a type of key that this store does not make. */
  readonly algorithm: KeyAlgorithm | undefined;
}

const maxObjects = 4096;
const maxAttribute = 1024;
const unavailable = 0xffff_ffff_ffff_ffffn;

export const curves = Object.freeze({
  'P-256': {
    parameters: fromHex('06082a8648ce3d030107'),
    spki: fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200'),
    point: 65,
  },
  'P-384': {
    parameters: fromHex('06052b81040022'),
    spki: fromHex('3076301006072a8648ce3d020106052b81040022036200'),
    point: 97,
  },
  Ed25519: { parameters: fromHex('06032b6570'), spki: fromHex('302a300506032b6570032100'), point: 32 },
});

/** RFC 8410's curve as PKCS #11 2.40 modules name it: PrintableString "edwards25519". */
export const edwardsByName = fromHex('130c656477617264733235353139');

export function ckaId({ purpose, id, version }: ObjectName): Uint8Array {
  return new TextEncoder().encode(`fastness:1:${purpose}:${id}:${version}`);
}

export function labelOf({ id, version }: ObjectName, createdAt: string, state: ObjectState): Uint8Array {
  const text = state.kind === 'active' ? state.kind : `${state.kind}@${state.since}`;
  return new TextEncoder().encode(`fastness ${id} v${version} ${createdAt} ${text}`);
}

function nameOf(id: Uint8Array | undefined): ObjectName | undefined {
  const match = /^fastness:1:(wrap|sign):([^:]+):([1-9][0-9]{0,9})$/.exec(new TextDecoder().decode(id));
  const [, purpose, key = '', version] = match ?? [];
  if ((purpose !== 'wrap' && purpose !== 'sign') || !keyIdPattern.test(key)) return undefined;
  return { purpose, id: key, version: Number(version) };
}

function stateOf(name: ObjectName, label: Uint8Array | undefined): { createdAt: string; state: ObjectState } {
  const match = /^fastness (\S+) v([0-9]+) (\S+) (active|pending|disabled)(?:@([0-9]{1,12}))?$/.exec(
    new TextDecoder().decode(label),
  );
  const [, id, version, createdAt = '', kind, since] = match ?? [];
  if (id !== name.id || Number(version) !== name.version || !/^[0-9TZ:.-]{20,24}$/.test(createdAt)) {
    throw new FastnessError('KEYS_HSM_AMBIGUOUS', `An object of ${name.id} has the label of something else.`);
  }
  const at = new Date(createdAt);
  if (Number.isNaN(at.getTime()) || (kind === 'active') !== (since === undefined)) {
    throw new FastnessError('KEYS_HSM_AMBIGUOUS', `The label of an object of ${name.id} is damaged.`);
  }
  const state: ObjectState =
    kind === 'pending' || kind === 'disabled' ? { kind, since: Number(since) } : { kind: 'active' };
  return { createdAt: at.toISOString(), state };
}

/** The private and secret keys on the token that this store made. Objects of others are passed over. */
export function findKeys(module: Module, session: bigint): KeyObject[] {
  const found: KeyObject[] = [];
  for (const objectClass of [CKO.SECRET_KEY, CKO.PRIVATE_KEY]) {
    for (const handle of findObjects(module, session, [
      [CKA.CLASS, objectClass],
      [CKA.TOKEN, true],
    ])) {
      const object = describeKey(module, session, handle);
      if (object !== undefined) found.push(object);
    }
  }
  return found;
}

/** One object as it is now; undefined when it is gone or not of this store. Errors: KEYS_HSM_AMBIGUOUS. */
export function describeKey(module: Module, session: bigint, handle: bigint): KeyObject | undefined {
  let attributes: ReadonlyMap<number, Uint8Array>;
  try {
    attributes = readAttributes(module, session, handle, [CKA.ID, CKA.LABEL, CKA.KEY_TYPE, CKA.EC_PARAMS]);
  } catch (error) {
    if (error instanceof ModuleError && error.returned === CKR.OBJECT_HANDLE_INVALID) return undefined;
    throw error;
  }
  const name = nameOf(attributes.get(CKA.ID));
  if (name === undefined) return undefined;
  return {
    ...name,
    ...stateOf(name, attributes.get(CKA.LABEL)),
    handle,
    algorithm: algorithmOf(numberOf(attributes.get(CKA.KEY_TYPE)), attributes.get(CKA.EC_PARAMS)),
  };
}

function algorithmOf(type: number | undefined, parameters: Uint8Array | undefined): KeyAlgorithm | undefined {
  // An RSA key wraps by carrying a key of AES-256-GCM.
  if (type === CKK.AES || type === CKK.RSA) return 'AES-256-GCM';
  if (type === CKK.EC_EDWARDS) return 'Ed25519';
  if (type !== CKK.EC || parameters === undefined) return undefined;
  if (equalBytes(parameters, curves['P-256'].parameters)) return 'P-256';
  return equalBytes(parameters, curves['P-384'].parameters) ? 'P-384' : undefined;
}

export function findObjects(module: Module, session: bigint, template: Template): bigint[] {
  const found: bigint[] = [];
  module.within((arena) => {
    module.call('C_FindObjectsInit', session, layTemplate(arena, template).address, template.length);
    try {
      const list = arena.take(8 * 64);
      const count = arena.ulong(0);
      for (;;) {
        module.call('C_FindObjects', session, list.address, 64, count.address);
        const length = Math.min(Number(count.view.getBigUint64(0, true)), 64);
        for (let index = 0; index < length; index += 1) found.push(list.view.getBigUint64(8 * index, true));
        if (length === 0) break;
        if (found.length > maxObjects) throw new FastnessError('KEYS_HSM_FULL', `More than ${maxObjects} objects.`);
      }
    } finally {
      module.call('C_FindObjectsFinal', session);
    }
  });
  return found;
}

/** Those of `types` that the object has and shows. */
export function readAttributes(
  module: Module,
  session: bigint,
  handle: bigint,
  types: readonly number[],
): ReadonlyMap<number, Uint8Array> {
  return module.within((arena) => {
    const template = arena.take(24 * types.length);
    const values = types.map((type, index) => {
      // NSS gives numbers in a form of its own unless the room is that of a number.
      const room = type === CKA.CLASS || type === CKA.KEY_TYPE ? 8 : maxAttribute;
      const value = arena.take(room);
      template.view.setBigUint64(24 * index, BigInt(type), true);
      template.view.setBigUint64(24 * index + 8, value.address, true);
      template.view.setBigUint64(24 * index + 16, BigInt(room), true);
      return value;
    });
    try {
      module.call('C_GetAttributeValue', session, handle, template.address, types.length);
    } catch (error) {
      // One that the object lacks or hides: the others are there all the same.
      const partial =
        error instanceof ModuleError &&
        (error.returned === CKR.ATTRIBUTE_TYPE_INVALID || error.returned === CKR.ATTRIBUTE_SENSITIVE);
      if (!partial) throw error;
    }
    const found = new Map<number, Uint8Array>();
    for (const [index, type] of types.entries()) {
      const length = template.view.getBigUint64(24 * index + 16, true);
      const value = values[index];
      if (length === unavailable || value === undefined || length > BigInt(value.bytes.length)) continue;
      found.set(type, value.bytes.slice(0, Number(length)));
    }
    return found;
  });
}

export function setLabel(module: Module, session: bigint, handle: bigint, label: Uint8Array): void {
  module.within((arena) =>
    module.call('C_SetAttributeValue', session, handle, layTemplate(arena, [[CKA.LABEL, label]]).address, 1),
  );
}

export function destroyObject(module: Module, session: bigint, handle: bigint): void {
  try {
    module.call('C_DestroyObject', session, handle);
  } catch (error) {
    if (!(error instanceof ModuleError && error.returned === CKR.OBJECT_HANDLE_INVALID)) throw error;
  }
}

/** Every object of one version: the key itself and, for a pair, its public half. */
export function objectsOf(module: Module, session: bigint, name: ObjectName): bigint[] {
  return [CKO.SECRET_KEY, CKO.PRIVATE_KEY, CKO.PUBLIC_KEY].flatMap((objectClass) =>
    findObjects(module, session, [
      [CKA.CLASS, objectClass],
      [CKA.ID, ckaId(name)],
    ]),
  );
}

/** A CK_ULONG, of 8 bytes here; undefined when it is none. */
export function numberOf(bytes: Uint8Array | undefined): number | undefined {
  if (bytes?.length !== 8) return undefined;
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(value);
}

/** A CK_BBOOL; undefined when the object does not show it. */
export function booleanOf(bytes: Uint8Array | undefined): boolean | undefined {
  return bytes?.length === 1 ? bytes[0] !== 0 : undefined;
}
