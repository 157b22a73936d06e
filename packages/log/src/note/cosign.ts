import { concatBytes, u64be } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { cosignedMessage } from './cosigned-message.ts';
import { encodeSignatureLine, type SignEd25519 } from './signed-note.ts';
import type { VerifierKey } from './verifier-key.ts';

/** A witness's signature line over the text of a checkpoint, as of `time`. */
export async function cosign(options: {
  text: string;
  key: VerifierKey;
  sign: SignEd25519;
  time: Date;
}): Promise<string> {
  const { text, key, sign, time } = options;
  if (key.algorithm !== 'cosignature/v1') throw new FastnessError('LOG_KEY_MALFORMED', 'It is no key of a witness.');
  const timestamp = Math.floor(time.getTime() / 1000);
  const signature = await sign(cosignedMessage(text, timestamp));
  return encodeSignatureLine({ ...key, signature: concatBytes(u64be(timestamp), signature) });
}
