import { concatBytes, fromBase64Url, toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { gatewayKeyList, gatewayPrimitives, type GatewayKeys } from './gateway-keys.ts';
import { aeadAes256Gcm, importPublicKey, isUnsupported, kdfHkdfSha256, kemXWing, suiteOf } from './hpke.ts';
import { parseKeyConfigList } from './ohttp/key-config.ts';
import type { SealedKey } from './wire/index.ts';

/** HPKE `info` of the message that carries a model's root key to an enclave. */
export const keyReleaseInfo: Uint8Array = utf8Encode('fastness/key-release/v1');

/** X-Wing, HKDF-SHA256, AES-256-GCM: the one suite for keys, with no weaker choice to fall back to. */
const suiteId = Object.freeze({ kem: kemXWing, kdf: kdfHkdfSha256, aead: aeadAes256Gcm });

/** One HPKE message in base mode. */
export interface HpkeMessage {
  /** Encapsulated secret, 1120 bytes. */
  readonly enc: Uint8Array;
  /** 16 bytes longer than the plaintext. */
  readonly ciphertext: Uint8Array;
}

/** AAD of a key release: release digest, key configuration digest, enclave nonce; 32 bytes each. */
export function keyReleaseAad(options: {
  releaseDigest: Uint8Array;
  keyConfigDigest: Uint8Array;
  enclaveNonce: Uint8Array;
}): Uint8Array {
  const parts = [options.releaseDigest, options.keyConfigDigest, options.enclaveNonce];
  if (parts.some((part) => part.length !== 32))
    throw new FastnessError('CHANNEL_SEALED_KEY', 'A part is not 32 bytes.');
  return concatBytes(...parts);
}

/**
 * The X-Wing public key of a gateway, which keys are sealed to.
 * @param keys gateway keys, or the key configuration list that an enclave sent
 * @throws FastnessError `CHANNEL_KEY_CONFIG`, `CHANNEL_SUITE_UNSUPPORTED` when it has no X-Wing key
 */
export function releasePublicKey(keys: { keyConfig: Uint8Array }): Uint8Array {
  const config = parseKeyConfigList(keys.keyConfig).find(({ kem }) => kem === kemXWing);
  if (config === undefined) throw new FastnessError('CHANNEL_SUITE_UNSUPPORTED', 'No X-Wing key on offer.');
  return config.publicKey;
}

/**
 * Seals `plaintext` to an X-Wing public key.
 * @throws FastnessError `CHANNEL_KEY_CONFIG`, `CHANNEL_SUITE_UNSUPPORTED`
 */
export async function hpkeSealTo(options: {
  publicKey: Uint8Array;
  info: Uint8Array;
  aad: Uint8Array;
  plaintext: Uint8Array;
}): Promise<HpkeMessage> {
  const suite = suiteOf(suiteId);
  const publicKey = await importPublicKey(suite, options.publicKey);
  const { encapsulatedSecret, ciphertext } = await suite.Seal(publicKey, options.plaintext, {
    info: options.info,
    aad: options.aad,
  });
  return { enc: encapsulatedSecret, ciphertext };
}

/**
 * Opens what `hpkeSealTo` sealed to these gateway keys. The caller wipes the plaintext after use.
 * @throws FastnessError `CHANNEL_SEALED_KEY`
 */
export async function hpkeOpen(
  options: { keys: GatewayKeys; info: Uint8Array; aad: Uint8Array } & HpkeMessage,
): Promise<Uint8Array> {
  const key = gatewayKeyList(options.keys).find(({ config }) => config.kem === kemXWing);
  if (key === undefined) throw new FastnessError('CHANNEL_SEALED_KEY', 'These gateway keys have no X-Wing key.');
  try {
    const { info, aad } = options;
    return await suiteOf(suiteId, gatewayPrimitives(options.keys)).Open(key.pair, options.enc, options.ciphertext, {
      info,
      aad,
    });
  } catch (error) {
    if (isUnsupported(error)) throw new FastnessError('CHANNEL_SUITE_UNSUPPORTED', 'This runtime lacks X-Wing.');
    throw new FastnessError('CHANNEL_SEALED_KEY', undefined, { cause: error });
  }
}

/** JSON form of an HPKE message. */
export function sealedKeyToJson(message: HpkeMessage): SealedKey {
  return { enc: toBase64Url(message.enc), ciphertext: toBase64Url(message.ciphertext) };
}

/** @throws FastnessError of the base64url decoder */
export function sealedKeyFromJson(json: SealedKey): HpkeMessage {
  return { enc: fromBase64Url(json.enc), ciphertext: fromBase64Url(json.ciphertext) };
}
