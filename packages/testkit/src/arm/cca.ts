import { CCA_TOKEN_TYPE, CMW_EVIDENCE, type Cmw } from '@fastness/attest';
import { concatBytes } from '@fastness/codec/bytes';
import { CborTag, encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';
import type { ForgedKeyKind, ForgedKeys } from '../x509/keys.ts';
import { forgeArmMessage, type ForgeArmMessageOptions } from './message.ts';
import { forgedArmComponents, forgedArmDevice } from './psa.ts';

/** Measurements of the realm that tokens are forged for. */
export const forgedRealm = Object.freeze({
  rim: new Uint8Array(32).fill(0x31),
  rems: Object.freeze([0, 1, 2, 3].map((index) => new Uint8Array(32).fill(0x40 + index))),
  personalization: new Uint8Array(64).fill(0x71),
});

export interface ForgeCcaTokenOptions {
  readonly platformKeys: ForgedKeys;
  readonly realmKeys: ForgedKeys;
  /** 64 bytes. */
  readonly challenge: Uint8Array;
  /** Default: tag:arm.com,2023:cca_platform#1.0.0. */
  readonly platformProfile?: string;
  /** Default: the one that goes with it. null: none, and the key is written as a point. */
  readonly realmProfile?: string | null;
  readonly device?: { readonly instanceId: Uint8Array; readonly implementationId: Uint8Array };
  /** Edits the claims of either token before they are signed. */
  readonly platform?: (claims: Map<number, CborValue>) => void;
  readonly realm?: (claims: Map<number, CborValue>) => void;
  /** What the platform token is bound to. Default: SHA-256 of the realm's public key claim, whatever is in it. */
  readonly bound?: Uint8Array;
  readonly platformMessage?: Partial<ForgeArmMessageOptions>;
  readonly realmMessage?: Partial<ForgeArmMessageOptions>;
  /** Default: 399, byte strings. 907: CMW records. */
  readonly tag?: number;
  /** Edits the collection before it is written. */
  readonly collection?: (members: Map<number | string, CborValue>) => void;
}

const fields: Readonly<Partial<Record<ForgedKeyKind, readonly [curve: number, bytes: number]>>> = {
  'p-256': [1, 32],
  'p-384': [2, 48],
  'p-521': [3, 66],
};

/** A public key as realm tokens write it: a COSE_Key, or an uncompressed point. */
export function realmPublicKey({ kind, spki }: ForgedKeys, form: 'cose-key' | 'point' = 'cose-key'): Uint8Array {
  const [curve, bytes] = fields[kind] ?? [];
  if (curve === undefined || bytes === undefined) throw new FastnessError('TESTKIT_OPTION', `No realm key is ${kind}.`);
  const coordinates = spki.subarray(-2 * bytes);
  if (form === 'point') return concatBytes(Uint8Array.of(0x04), coordinates);
  const key: CborMap = new Map<number, CborValue>([
    [1, 2],
    [-1, curve],
    [-2, coordinates.subarray(0, bytes)],
    [-3, coordinates.subarray(bytes)],
  ]);
  return encodeCbor(key);
}

/** Writes and signs a CCA token of a secured platform: both messages and the collection around them. */
export async function forgeCcaToken(options: ForgeCcaTokenOptions): Promise<Uint8Array> {
  const { platformKeys, realmKeys, tag = 399 } = options;
  const { platformProfile = 'tag:arm.com,2023:cca_platform#1.0.0' } = options;
  const [second, secondRealm] = ['tag:arm.com,2024:cca_platform#2.0.0', 'tag:arm.com,2024:realm#2.0.0'];
  const { realmProfile = platformProfile === second ? secondRealm : 'tag:arm.com,2023:realm#1.0.0' } = options;
  const realm = new Map<number, CborValue>([
    ...(realmProfile === null ? [] : [[265, realmProfile] as const]),
    [10, options.challenge],
    [44235, forgedRealm.personalization],
    [44236, 'sha-256'],
    [44237, realmPublicKey(realmKeys, realmProfile === null ? 'point' : 'cose-key')],
    [44238, forgedRealm.rim],
    [44239, forgedRealm.rems],
    [44240, 'sha-256'],
    ...(realmProfile === secondRealm ? [[44243, 1] as const] : []),
  ]);
  options.realm?.(realm);
  const key = realm.get(44237);
  const hash = await crypto.subtle.digest('SHA-256', new Uint8Array(key instanceof Uint8Array ? key : []));
  const { instanceId, implementationId } = options.device ?? forgedArmDevice;
  const platform = new Map<number, CborValue>([
    [265, platformProfile],
    [10, options.bound ?? new Uint8Array(hash)],
    [256, instanceId],
    [2396, implementationId],
    [2395, 0x3000],
    [2399, forgedArmComponents()],
    [2400, 'https://verifier.example'],
    [2401, Uint8Array.of(0xc0, 0x0f)],
    [2402, 'sha-256'],
    ...(platformProfile === second ? [[2394, 1] as const] : []),
  ]);
  options.platform?.(platform);
  const tokens = [
    await forgeArmMessage(platform, { keys: platformKeys, ...options.platformMessage }),
    await forgeArmMessage(realm, { keys: realmKeys, ...options.realmMessage }),
  ];
  const [platformToken = [], realmToken = []] = tokens.map((token): CborValue => (tag === 907 ? [263, token] : token));
  const members = new Map<number | string, CborValue>([
    [44234, platformToken],
    [44241, realmToken],
  ]);
  options.collection?.(members);
  return encodeCbor(new CborTag(tag, members));
}

/** Wraps a token for the verifier. */
export function ccaEvidence(token: Uint8Array): Cmw {
  return { type: CCA_TOKEN_TYPE, value: token, ind: CMW_EVIDENCE };
}
