import { concatBytes, fromHex, u32be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { aeadAes256Gcm, isUnsupported, kdfHkdfSha256, kemXWing, suiteOf } from './hpke.ts';
import { hpkeSealTo, keyReleaseAad, type HpkeMessage } from './sealed-key.ts';

/** HPKE `info` of the message that carries a broker's share of a root key to an enclave: never taken for a root key. */
export const shareReleaseInfo: Uint8Array = utf8Encode('fastness/key-share-release/v1');

/** HPKE `info` of the message that carries a share from the owner to its broker. */
const shareDeliveryInfo = utf8Encode('fastness/key-share-delivery/v1');

/** AAD of a share's release: that of a key release, then the set (16 bytes) and the number of the share (32 bits). */
export function shareReleaseAad(
  options: Parameters<typeof keyReleaseAad>[0] & {
    /** Hex. */
    readonly setId: string;
    readonly index: number;
  },
): Uint8Array {
  const setId = fromHex(options.setId);
  if (setId.length !== 16) throw new FastnessError('CHANNEL_SEALED_KEY', 'The share set is not 16 bytes.');
  return concatBytes(keyReleaseAad(options), setId, u32be(options.index));
}

/** A key that shares are delivered to. */
export interface IntakeKeyPair {
  /** X-Wing, 1216 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 bytes; the caller wraps and wipes them. */
  readonly privateKey: Uint8Array;
}

const suiteId = Object.freeze({ kem: kemXWing, kdf: kdfHkdfSha256, aead: aeadAes256Gcm });

/** Makes a key pair of X-Wing, which protects what is sealed now also from quantum computers to come. */
export async function generateIntakeKey(): Promise<IntakeKeyPair> {
  const suite = suiteOf(suiteId);
  const pair = await suite.GenerateKeyPair(true);
  const [publicKey, privateKey] = await Promise.all([
    suite.SerializePublicKey(pair.publicKey),
    suite.SerializePrivateKey(pair.privateKey),
  ]);
  return { publicKey, privateKey };
}

/**
 * Seals a share to the intake key of its broker.
 * @param options.context `shareContext` of the model and the number of the share
 * @throws FastnessError `CHANNEL_KEY_CONFIG`, `CHANNEL_SUITE_UNSUPPORTED`
 */
export async function sealShareTo(options: {
  publicKey: Uint8Array;
  context: Uint8Array;
  share: Uint8Array;
}): Promise<HpkeMessage> {
  const { publicKey, context: aad, share: plaintext } = options;
  return hpkeSealTo({ publicKey, info: shareDeliveryInfo, aad, plaintext });
}

/**
 * Opens a delivered share. The caller wipes it.
 * @param options.privateKey as `generateIntakeKey` made it; the caller wipes it
 * @throws FastnessError `CHANNEL_SEALED_KEY` for a share that was sealed to another key or under another context
 */
export async function openDeliveredShare(
  options: { privateKey: Uint8Array; context: Uint8Array } & HpkeMessage,
): Promise<Uint8Array> {
  const suite = suiteOf(suiteId);
  try {
    const key = await suite.DeserializePrivateKey(options.privateKey, false);
    return await suite.Open(key, options.enc, options.ciphertext, { info: shareDeliveryInfo, aad: options.context });
  } catch (error) {
    if (isUnsupported(error)) throw new FastnessError('CHANNEL_SUITE_UNSUPPORTED', 'This runtime lacks X-Wing.');
    throw new FastnessError('CHANNEL_SEALED_KEY', undefined, { cause: error });
  }
}
