import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { aeadTagLength } from '../hpke.ts';
import type { PullReader } from '../pull-reader.ts';
import { pullStream, type StreamSource } from '../stream-source.ts';
import { mediaTypes } from '../wire/media-types.ts';
import { maxChunkPlaintext } from './chunk-reader.ts';
import type { PlaintextSource } from './chunk-writer.ts';
import type { NextPart, OhttpForm, SealedBytesLimit } from './form.ts';
import { plainLabels } from './labels.ts';

/** Bytes that a message which is sealed in one piece may have: all of it is held in memory. */
const maxWholeMessage = 64 * 2 ** 20;
const emptyAad = new Uint8Array(0);

/**
 * OHTTP as RFC 9458 has it: a message is sealed in one piece. Nothing can be cut without being noticed, so there is no final
 * mark; nothing can be read either before all of it is there, so there is no streaming, and the gateway holds what it cannot
 * tell from noise yet.
 */
export const plainForm: OhttpForm = Object.freeze({
  labels: plainLabels,
  requestType: mediaTypes.plainRequest,
  responseType: mediaTypes.plainResponse,
  whole: true,
  sealRequest: ({ prefix, source, context }) =>
    pullStream(wholeSource({ prefix, source, seal: (plaintext) => context.Seal(plaintext, emptyAad) })),
  openRequest: ({ reader, context, limit }) =>
    once(async () => {
      const sealed = await wholeOf(reader, limit);
      try {
        return await context.Open(sealed, emptyAad);
      } catch (cause) {
        throw new FastnessError('CHANNEL_REQUEST_UNOPENABLE', undefined, { cause });
      }
    }),
  sealResponse: ({ prefix, source, key }) => {
    key.catch(() => undefined);
    const seal = async (plaintext: Uint8Array): Promise<Uint8Array> => {
      const { cipher, baseNonce } = await key;
      return cipher.seal(baseNonce, emptyAad, plaintext);
    };
    return wholeSource({ prefix, source, seal });
  },
  openResponse: ({ reader, key: { cipher, baseNonce }, limit }) =>
    once(async () => {
      const sealed = await wholeOf(reader, limit);
      try {
        return await cipher.open(baseNonce, emptyAad, sealed);
      } catch (cause) {
        throw new FastnessError('CHANNEL_RESPONSE_MISMATCH', undefined, { cause });
      }
    }),
} satisfies OhttpForm);

function once(open: () => Promise<Uint8Array>): NextPart {
  let opened = false;
  return async () => {
    if (opened) return undefined;
    opened = true;
    return open();
  };
}

async function wholeOf(reader: PullReader, { bytes, code }: SealedBytesLimit): Promise<Uint8Array> {
  const most = Math.min(bytes, maxWholeMessage);
  const sealed = await reader.rest(most);
  if (sealed === undefined) throw new FastnessError(code, `More than ${most} bytes in one piece.`);
  if (sealed.length < aeadTagLength) throw new FastnessError('CHANNEL_TRUNCATED', 'Within the tag.');
  return sealed;
}

/** The whole message behind `prefix`, as one part: it is read to its end before the first byte of it is there. */
function wholeSource(options: {
  prefix: Uint8Array;
  source: PlaintextSource;
  seal: (plaintext: Uint8Array) => Promise<Uint8Array>;
}): StreamSource {
  const { prefix, source, seal } = options;
  let made = false;
  return {
    cancel: source.cancel,
    next: async () => {
      if (made) return undefined;
      made = true;
      const parts: Uint8Array[] = [];
      let length = 0;
      for (let done = false; !done;) {
        const part = await source.take(maxChunkPlaintext);
        ({ done } = part);
        parts.push(part.bytes);
        length += part.bytes.length;
        if (length > maxWholeMessage) {
          const error = new FastnessError('CHANNEL_MESSAGE_TOO_LARGE', `More than ${maxWholeMessage} bytes.`);
          await source.cancel(error);
          throw error;
        }
      }
      return concatBytes(prefix, await seal(concatBytes(...parts)));
    },
  };
}
