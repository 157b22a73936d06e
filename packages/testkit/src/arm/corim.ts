import { CMW_ENDORSEMENTS, SIGNED_CORIM_TYPE, UNSIGNED_CORIM_TYPE, type Cmw } from '@fastness/attest';
import { encodePem } from '@fastness/codec/bytes';
import { CborTag, encodeCbor, type CborKey, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { encodeSign1 } from '@fastness/codec/cose';
import { defaultAlgorithm, signRaw, type ForgedKeys } from '../x509/keys.ts';
import { armAlgorithm } from './message.ts';
import { forgedArmDevice, type ForgedArmComponent } from './psa.ts';

type Members = Map<CborKey, CborValue>;
const map = (...entries: readonly (readonly [CborKey, CborValue])[]): Members => new Map(entries);
const bytes = (value: Uint8Array): CborTag => new CborTag(560, value);
const time = (at: Date): CborTag => new CborTag(1, Math.floor(at.getTime() / 1000));

/** A validity-map. */
export function corimValidity(notBefore: Date, notAfter: Date): CborMap {
  return map([0, time(notBefore)], [1, time(notAfter)]);
}

/** Triples of a CoMID, by their number: 0 reference values, 1 endorsed values, 3 attestation keys. */
export type ForgedTriples = Readonly<Record<number, readonly CborValue[]>>;

export interface ForgeCorimOptions {
  readonly profile?: CborValue;
  readonly triples: ForgedTriples;
  readonly validity?: CborMap;
  /** Edits the members of the manifest. */
  readonly corim?: (members: Members) => void;
  /** Edits the members of its one CoMID. */
  readonly comid?: (members: Members) => void;
  /** Default: 501. */
  readonly tag?: number;
}

/** Writes an unsigned CoRIM with one CoMID. */
export function forgeCorim(options: ForgeCorimOptions): Uint8Array {
  const triples = map(...Object.entries(options.triples).map(([kind, list]) => [Number(kind), list] as const));
  const comid = map([1, map([0, 'forged'])], [4, triples]);
  options.comid?.(comid);
  const { profile } = options;
  const corim = map(
    [0, 'forged manifest'],
    [1, [new CborTag(506, encodeCbor(comid))]],
    ...(profile === undefined ? [] : [[3, profile] as const]),
    ...(options.validity === undefined ? [] : [[4, options.validity] as const]),
  );
  options.corim?.(corim);
  return encodeCbor(new CborTag(options.tag ?? 501, corim));
}

/** Writes a URI as manifests do. */
export function corimUri(uri: string): CborTag {
  return new CborTag(32, uri);
}

export interface SignCorimOptions {
  readonly keys: ForgedKeys;
  /** Default: a year around 2026-06. */
  readonly validity?: CborMap;
  /** Edits the protected header. */
  readonly header?: (header: Members) => void;
  readonly unprotected?: CborMap;
  readonly signWith?: ForgedKeys;
  readonly detached?: boolean;
}

/** Signs a CoRIM as COSE_Sign1 with corim-meta. */
export async function signCorim(corim: Uint8Array, options: SignCorimOptions): Promise<Uint8Array> {
  const { keys, signWith = keys } = options;
  const validity =
    options.validity ?? corimValidity(new Date('2026-01-01T00:00:00Z'), new Date('2026-12-31T00:00:00Z'));
  const meta = encodeCbor(map([0, map([0, 'Forged Vendor'])], [1, validity]));
  const header = map([1, keys.kind === 'ed25519' ? -19 : armAlgorithm(keys)], [3, 'application/rim+cbor'], [8, meta]);
  options.header?.(header);
  return encodeSign1({
    protectedHeader: header,
    ...(options.unprotected === undefined ? {} : { unprotected: options.unprotected }),
    payload: corim,
    detached: options.detached ?? false,
    sign: async (message) => signRaw(signWith, defaultAlgorithm(signWith.kind), message),
  });
}

/** The environment of an implementation, and of one of its instances. */
export function armEnvironment(
  instance?: Uint8Array,
  implementationId: Uint8Array = forgedArmDevice.implementationId,
): Members {
  return map(
    [0, map([0, bytes(implementationId)])],
    ...(instance === undefined ? [] : [[1, new CborTag(550, instance)] as const]),
  );
}

/** Endorses the key of a device. */
export function armKeyTriple(
  { spki }: ForgedKeys,
  device: { readonly instanceId: Uint8Array; readonly implementationId: Uint8Array } = forgedArmDevice,
): CborValue {
  const key = new CborTag(554, encodePem(spki, 'PUBLIC KEY'));
  return [armEnvironment(device.instanceId, device.implementationId), [key]];
}

/** The reference value of a component as a token lists it. `name`: how the profile names components. */
export function armComponentMeasurement(name: string, component: ForgedArmComponent): Members {
  const [type, value, version, signer] = [1, 2, 4, 5].map((key) => component.get(key));
  const values = map(
    ...(version === undefined ? [] : [[0, map([0, version])] as const]),
    [2, [['sha-256', value ?? null]]],
    ...(type === undefined ? [] : [[11, type] as const]),
    [13, signer instanceof Uint8Array ? [bytes(signer)] : []],
  );
  return map([0, name], [1, values]);
}

/** One state: the components of a token, and what comes beside them. */
export function armReferenceTriple(
  name: string,
  components: readonly ForgedArmComponent[],
  ...others: readonly CborValue[]
): CborValue {
  return [armEnvironment(), [...components.map((each) => armComponentMeasurement(name, each)), ...others]];
}

/** Wraps a manifest for the verifier. */
export function corimEndorsement(corim: Uint8Array, signed = true): Cmw {
  return { type: signed ? SIGNED_CORIM_TYPE : UNSIGNED_CORIM_TYPE, value: corim, ind: CMW_ENDORSEMENTS };
}
