import { aeadAes256Gcm, kdfHkdfSha256, kems, kemX25519, kemXWing, suiteOf, type HpkeKeyPair } from './hpke.ts';
import { webPrimitives, type Primitives } from './primitives.ts';
import { encodeKeyConfigList, type KeyConfig } from './ohttp/key-config.ts';

/**
 * The private keys of a gateway and their public key configuration. The private keys are not extractable: they can be
 * used through this object and leave it in no way. They live in the memory of the process, which the TEE protects.
 */
export interface GatewayKeys {
  /** RFC 9458 key configuration list: X-Wing first, X25519 second. */
  readonly keyConfig: Uint8Array;
  /** Key ids in the order of the list. */
  readonly keyIds: readonly number[];
}

/** A private key with the configuration it belongs to. */
export interface GatewayKey {
  readonly config: KeyConfig;
  readonly pair: HpkeKeyPair;
}

interface PrivatePart {
  readonly keys: ReadonlyMap<number, GatewayKey>;
  readonly primitives: Primitives;
}

const privateParts = new WeakMap<GatewayKeys, PrivatePart>();

/** Makes a set of gateway keys out of private keys on hand, which `primitives` can use. */
export function gatewayKeysFrom(keys: readonly GatewayKey[], primitives: Primitives = webPrimitives): GatewayKeys {
  const made: GatewayKeys = Object.freeze({
    keyConfig: encodeKeyConfigList(keys.map(({ config }) => config)),
    keyIds: Object.freeze(keys.map(({ config }) => config.keyId)),
  });
  privateParts.set(made, { keys: new Map(keys.map((key) => [key.config.keyId, key])), primitives });
  return made;
}

/** The key that `keyId` names; undefined when this set has none. */
export function gatewayKeyOf(keys: GatewayKeys, keyId: number): GatewayKey | undefined {
  return privateParts.get(keys)?.keys.get(keyId);
}

/** What the keys were made by and are used with. */
export function gatewayPrimitives(keys: GatewayKeys): Primitives {
  return privateParts.get(keys)?.primitives ?? webPrimitives;
}

/** Every key of the set. */
export function gatewayKeyList(keys: GatewayKeys): readonly GatewayKey[] {
  return [...(privateParts.get(keys)?.keys.values() ?? [])];
}

/**
 * Generates fresh gateway keys. With `previous`, the key ids differ from those, so that a request sealed to the old
 * keys is answered with `CHANNEL_KEY_UNKNOWN`; without, they start at random, which makes it likely (not certain) that
 * requests to an earlier process are told apart too. A request to a key of the same id does not open either way.
 * @param options.primitives what the gateway of these keys computes with. Default: WebCrypto's
 */
export async function generateGatewayKeys(
  options: { previous?: GatewayKeys; primitives?: Primitives } = {},
): Promise<GatewayKeys> {
  const { primitives = webPrimitives } = options;
  const last = options.previous?.keyIds.at(-1);
  const first = last === undefined ? (globalThis.crypto.getRandomValues(new Uint8Array(1))[0] ?? 0) : last + 1;
  const keys = [kemXWing, kemX25519].map(async (kem, index): Promise<GatewayKey> => {
    const suite = suiteOf({ kem, kdf: kdfHkdfSha256, aead: aeadAes256Gcm }, primitives);
    const pair = await suite.GenerateKeyPair(false);
    const publicKey = await suite.SerializePublicKey(pair.publicKey);
    const symmetric = [{ kdf: kdfHkdfSha256, aead: aeadAes256Gcm }];
    return { config: { keyId: (first + index) % 256, kem, publicKey, symmetric }, pair };
  });
  return gatewayKeysFrom(await Promise.all(keys), primitives);
}

/** Names of the KEMs of a set, for a log line. */
export function describeGatewayKeys(keys: GatewayKeys): string {
  return gatewayKeyList(keys)
    .map(({ config }) => `${config.keyId}:${kems.get(config.kem)?.name ?? config.kem}`)
    .join(' ');
}
