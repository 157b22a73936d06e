import { FastnessError } from '@fastness/codec/errors';
import { aeadAes256Gcm, isUnsupported, kdfHkdfSha256, kemXWing, suiteOf } from './hpke.ts';
import { webPrimitives, type Primitives } from './primitives.ts';

let chosen: Promise<Primitives> | undefined;

/**
 * The primitives of this runtime: WebCrypto where it agrees on an X-Wing key, which is tried and not guessed from a name or
 * version, and otherwise the same with X-Wing in JavaScript, which is loaded only then.
 * @throws FastnessError `CHANNEL_SUITE_UNSUPPORTED` when neither is there; asked again, it tries again
 */
export async function platformPrimitives(): Promise<Primitives> {
  chosen ??= choose();
  try {
    return await chosen;
  } catch (error) {
    chosen = undefined;
    throw error;
  }
}

async function choose(): Promise<Primitives> {
  if (await agreesNatively()) return webPrimitives;
  try {
    const { hpkeXWing } = await import('./noble.ts');
    return Object.freeze({ ...webPrimitives, hpkeXWing });
  } catch (cause) {
    throw new FastnessError('CHANNEL_SUITE_UNSUPPORTED', 'X-Wing in JavaScript could not be loaded.', { cause });
  }
}

/** Makes a key pair and agrees on a key with it: a millisecond, once. */
async function agreesNatively(): Promise<boolean> {
  const suite = suiteOf({ kem: kemXWing, kdf: kdfHkdfSha256, aead: aeadAes256Gcm });
  try {
    const pair = await suite.GenerateKeyPair();
    await suite.SetupSender(pair.publicKey);
    return true;
  } catch (error) {
    if (isUnsupported(error)) return false;
    throw error;
  }
}
