import { ByteReader } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { gatewayKeyOf, gatewayPrimitives, type GatewayKey, type GatewayKeys } from '../gateway-keys.ts';
import { kems, suiteOf, type RecipientContext, type SuiteId } from '../hpke.ts';
import type { PullReader } from '../pull-reader.ts';
import type { OpenChunk } from './chunk-reader.ts';
import { headerLength, requestInfo, type OhttpLabels } from './labels.ts';
import { finalAad } from './request-sealer.ts';

const emptyAad = new Uint8Array(0);

/** HPKE set up on the gateway's side. */
export interface OpenedContext {
  readonly suite: SuiteId;
  readonly enc: Uint8Array;
  readonly context: RecipientContext;
  readonly usedKeys: GatewayKeys;
}

/**
 * Reads header and encapsulated secret, finds the private key among the keys of the moment and sets HPKE up.
 * @throws FastnessError `CHANNEL_KEY_UNKNOWN` for a key id or suite this gateway does not offer,
 * `CHANNEL_REQUEST_UNOPENABLE` where the secret cannot be decapsulated, `CHANNEL_TRUNCATED`
 */
export async function openRequestContext(
  reader: PullReader,
  keys: () => GatewayKeys,
  labels: OhttpLabels,
): Promise<OpenedContext> {
  const header = await reader.take(headerLength);
  const usedKeys = keys();
  const { key, suite } = findKey(header, usedKeys);
  const enc = (await reader.take(kems.get(suite.kem)?.enc ?? 0)).slice();
  try {
    const context = await suiteOf(suite, gatewayPrimitives(usedKeys)).SetupRecipient(key.pair, enc, {
      info: requestInfo(labels, header),
    });
    return { suite, enc, context, usedKeys };
  } catch (error) {
    throw new FastnessError('CHANNEL_REQUEST_UNOPENABLE', 'The key does not decapsulate.', { cause: error });
  }
}

/** Opens the chunks of a request in order. */
export function openRequestChunk(context: RecipientContext): OpenChunk {
  return async (ciphertext, final, index) => {
    try {
      return await context.Open(ciphertext, final ? finalAad : emptyAad);
    } catch (error) {
      throw new FastnessError(index === 0 ? 'CHANNEL_REQUEST_UNOPENABLE' : 'CHANNEL_CHUNK_TAG', undefined, {
        cause: error,
      });
    }
  };
}

function findKey(header: Uint8Array, keys: GatewayKeys): { key: GatewayKey; suite: SuiteId } {
  const fields = new ByteReader(header);
  const keyId = fields.u8();
  const suite = { kem: fields.u16be(), kdf: fields.u16be(), aead: fields.u16be() };
  const key = gatewayKeyOf(keys, keyId);
  if (key === undefined) throw new FastnessError('CHANNEL_KEY_UNKNOWN', `Key ${keyId}.`);
  const offered = key.config.symmetric.some(({ kdf, aead }) => kdf === suite.kdf && aead === suite.aead);
  if (key.config.kem !== suite.kem || !offered) {
    throw new FastnessError('CHANNEL_KEY_UNKNOWN', `Key ${keyId} is not offered with these algorithms.`);
  }
  return { key, suite };
}
