import { encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { encodeSign1 } from '@fastness/codec/cose';
import { FastnessError } from '@fastness/codec/errors';
import type { HashName } from '@fastness/codec/x509';
import { signRaw, type ForgedKeyKind, type ForgedKeys } from '../x509/keys.ts';

/** COSE algorithm and hash that go with a kind of key. */
const algorithms: Readonly<Partial<Record<ForgedKeyKind, readonly [number, HashName]>>> = {
  'p-256': [-7, 'SHA-256'],
  'p-384': [-35, 'SHA-384'],
  'p-521': [-36, 'SHA-512'],
};

export interface ForgeArmMessageOptions {
  readonly keys: ForgedKeys;
  /** Default: the algorithm of the key, and nothing else. */
  readonly protectedHeader?: CborMap;
  readonly unprotected?: CborMap;
  /** Default: true. */
  readonly tagged?: boolean;
  /** Sends the message without its payload. */
  readonly detached?: boolean;
  /** Replaces the payload, CBOR, before it is signed. */
  readonly payload?: (payload: Uint8Array) => Uint8Array;
  /** Signs in place of `keys`. */
  readonly signWith?: ForgedKeys;
  /** Edits the message after it was signed. */
  readonly bytes?: (message: Uint8Array) => Uint8Array;
}

/** The COSE algorithm of a key. */
export function armAlgorithm({ kind }: ForgedKeys): number {
  return hashOf(kind)[0];
}

/** Signs claims as COSE_Sign1. */
export async function forgeArmMessage(claims: CborMap, options: ForgeArmMessageOptions): Promise<Uint8Array> {
  const { keys, signWith = keys } = options;
  const payload = encodeCbor(claims);
  const message = await encodeSign1({
    protectedHeader: options.protectedHeader ?? new Map<number, CborValue>([[1, armAlgorithm(keys)]]),
    ...(options.unprotected === undefined ? {} : { unprotected: options.unprotected }),
    payload: options.payload?.(payload) ?? payload,
    tagged: options.tagged ?? true,
    detached: options.detached ?? false,
    sign: async (toBeSigned) => signRaw(signWith, { kind: 'ecdsa', hash: hashOf(signWith.kind)[1] }, toBeSigned),
  });
  return options.bytes?.(message) ?? message;
}

function hashOf(kind: ForgedKeyKind): readonly [number, HashName] {
  const algorithm = algorithms[kind];
  if (algorithm === undefined) throw new FastnessError('TESTKIT_OPTION', `No Arm token is signed with ${kind}.`);
  return algorithm;
}
