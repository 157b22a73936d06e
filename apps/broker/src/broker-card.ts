import { sealedKeyToJson, sealShareTo } from '@fastness/channel';
import { concatBytes, fromBase64Url, toBase64Url, u32be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import type { ShareHolder } from '@fastness/model';
import { importVerifyKey, signatureFits } from '@fastness/model/release';
import { z } from 'zod';
import { brokerLogKey } from './audit/transparency.ts';
import type { ShareIntake } from './share-intake.ts';

/**
 * What the owner of a model has to know of a broker to give it a share: its public keys, signed by the first of them. The
 * signature shows that the keys belong together and not whose they are: compare the fingerprint with the operator.
 */
export const brokerCardSchema = z.strictObject({
  format: z.literal('fastness/broker-card/v1'),
  /** Signs leases: Ed25519, SubjectPublicKeyInfo DER, base64url. */
  brokerKey: z.string().regex(/^[A-Za-z0-9_-]{59}$/),
  /** Of the transparency log; `logKey` of a release. */
  logKey: z.string().min(1).max(512),
  /** Shares are sealed to it: X-Wing, base64url. */
  intakeKey: z.string().regex(/^[A-Za-z0-9_-]{1622}$/),
  /** Ed25519 over the members before it, base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
export type BrokerCard = z.infer<typeof brokerCardSchema>;

function signedBytes({ brokerKey, logKey, intakeKey }: Omit<BrokerCard, 'format' | 'signature'>): Uint8Array {
  const fields = ['fastness/broker-card/v1', brokerKey, logKey, intakeKey].map((field) => utf8Encode(field));
  return concatBytes(...fields.flatMap((field) => [u32be(field.length), field]));
}

/** Makes the card of a broker. `logKey`: where its log has another name or key than by default. */
export async function makeBrokerCard(options: {
  readonly signer: { readonly keyStore: KeyStore; readonly keyId: string };
  readonly intake: ShareIntake;
  readonly logKey?: string;
}): Promise<BrokerCard> {
  const { keyStore, keyId } = options.signer;
  const publicKey = await keyStore.publicKey(keyId);
  const keys = {
    brokerKey: toBase64Url(publicKey),
    logKey: options.logKey ?? (await brokerLogKey(publicKey)).text,
    intakeKey: options.intake.publicKey,
  };
  const signature = toBase64Url(await keyStore.sign(keyId, signedBytes(keys)));
  return brokerCardSchema.parse({ format: 'fastness/broker-card/v1', ...keys, signature });
}

/** Reads a card and verifies that its keys belong together. Throws `CARD_MALFORMED`, `CARD_SIGNATURE`. */
export async function readBrokerCard(text: string): Promise<BrokerCard> {
  const card = parse(text);
  try {
    const key = await importVerifyKey(fromBase64Url(card.brokerKey), ['Ed25519']);
    if (await signatureFits(key, fromBase64Url(card.signature), signedBytes(card))) return card;
  } catch (cause) {
    throw new FastnessError('CARD_SIGNATURE', undefined, { cause });
  }
  throw new FastnessError('CARD_SIGNATURE');
}

/** The broker of a card as one of those that a model is sealed to; see `sealSharedModel`. */
export function shareHolderOf({ brokerKey, logKey, intakeKey }: BrokerCard): ShareHolder {
  const publicKey = fromBase64Url(intakeKey);
  return {
    recipient: { brokerKey, logKey },
    seal: async (share, context) => sealedKeyToJson(await sealShareTo({ publicKey, context, share })),
  };
}

function parse(text: string): BrokerCard {
  try {
    return brokerCardSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FastnessError('CARD_MALFORMED', undefined, { cause });
  }
}
