import { utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import {
  aeadAes256Gcm,
  importPublicKey,
  isUnsupported,
  kdfHkdfSha256,
  kemX25519,
  kemXWing,
  suiteOf,
  type HpkeSuite,
  type SenderContext,
  type SuiteId,
} from '../hpke.ts';
import type { Primitives } from '../primitives.ts';
import { parseKeyConfigList, type KeyConfig } from './key-config.ts';
import { encodeHeader, requestInfo, type OhttpLabels } from './labels.ts';

/** AAD of the final chunk (draft-ietf-ohai-chunked-ohttp-08 section 6.1). */
export const finalAad = utf8Encode('final');
const emptyAad = new Uint8Array(0);

/** HPKE set up towards a gateway. */
export interface RequestContext {
  readonly suite: SuiteId;
  readonly header: Uint8Array;
  readonly enc: Uint8Array;
  readonly context: SenderContext;
}

/** A key of a gateway and the suite to use it with. */
export interface ChosenKey {
  readonly config: KeyConfig;
  readonly suite: SuiteId;
}

/** Sets HPKE up; `hpkeSuite` stands in for the suite's own in known-answer tests, where the ephemeral key is given. */
export async function setUpRequest(
  { config, suite }: ChosenKey,
  labels: OhttpLabels,
  hpkeSuite: HpkeSuite = suiteOf(suite),
): Promise<RequestContext> {
  const header = encodeHeader(config.keyId, suite);
  const publicKey = await importPublicKey(hpkeSuite, config.publicKey);
  try {
    const { encapsulatedSecret, ctx } = await hpkeSuite.SetupSender(publicKey, { info: requestInfo(labels, header) });
    return { suite, header, enc: encapsulatedSecret, context: ctx };
  } catch (error) {
    if (isUnsupported(error)) throw new FastnessError('CHANNEL_SUITE_UNSUPPORTED');
    throw new FastnessError('CHANNEL_KEY_CONFIG', 'The public key cannot be encapsulated to.', { cause: error });
  }
}

/** Seals chunks in order; the final one has AAD `final`. */
export function sealRequestChunk(
  context: SenderContext,
): (plaintext: Uint8Array, final: boolean) => Promise<Uint8Array> {
  return (plaintext, final) => context.Seal(plaintext, final ? finalAad : emptyAad);
}

/**
 * The keys to try, best first: X-Wing, then X25519 where the caller allows it.
 * @throws FastnessError `CHANNEL_KEY_CONFIG`, `CHANNEL_SUITE_UNSUPPORTED` when none is acceptable.
 */
export function acceptableKeys(keyConfig: Uint8Array, allowX25519: boolean): ChosenKey[] {
  const configs = parseKeyConfigList(keyConfig);
  const chosen = [kemXWing, ...(allowX25519 ? [kemX25519] : [])].flatMap((kem) => choose(configs, kem));
  if (chosen.length === 0) {
    throw new FastnessError('CHANNEL_SUITE_UNSUPPORTED', 'The configuration offers no key agreement that is allowed.');
  }
  return chosen;
}

/** Tries acceptable keys in order; only a runtime without the algorithm leads on to the next. */
export async function setUpFirst(
  keys: readonly ChosenKey[],
  labels: OhttpLabels,
  primitives?: Primitives,
): Promise<RequestContext> {
  let unsupported = new FastnessError('CHANNEL_SUITE_UNSUPPORTED');
  for (const key of keys) {
    try {
      return await setUpRequest(key, labels, suiteOf(key.suite, primitives));
    } catch (error) {
      if (!(error instanceof FastnessError) || error.code !== 'CHANNEL_SUITE_UNSUPPORTED') throw error;
      unsupported = error;
    }
  }
  throw unsupported;
}

function choose(configs: readonly KeyConfig[], kem: number): ChosenKey[] {
  return configs.flatMap((config) => {
    const wanted = config.symmetric.some(({ kdf, aead }) => kdf === kdfHkdfSha256 && aead === aeadAes256Gcm);
    return config.kem === kem && wanted ? [{ config, suite: { kem, kdf: kdfHkdfSha256, aead: aeadAes256Gcm } }] : [];
  });
}
