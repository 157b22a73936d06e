import { createHash } from 'node:crypto';
import { fromBase64Url, toBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { importQuorum } from '@fastness/model/release';
import { z } from 'zod';
import { canonicalJson, digestOf } from './canonical.ts';

const publicKey = z
  .string()
  .regex(/^[A-Za-z0-9_-]{40,200}$/)
  .describe('P-256, P-384 or Ed25519: SubjectPublicKeyInfo, DER, in base64url without padding.');

const keySchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('key'), publicKey }),
  z.strictObject({
    kind: z.literal('webauthn'),
    publicKey,
    /** The relying party that the credential was made for, such as keys.example.com. */
    rpId: z.string().regex(/^[a-z0-9.-]{1,253}$/),
    /** Origins of the pages on which its owner may approve. */
    origins: z.array(z.url().max(300)).min(1).max(8),
  }),
]);

/** Who decides together: 3 to 16 people with their keys, and how many of them it takes. */
export const membershipSchema = z.strictObject({
  threshold: z.int().min(2).max(16),
  members: z
    .array(
      z.strictObject({
        /** Names one person; all of a person's keys are one vote. */
        id: z.string().regex(/^[a-z0-9][a-z0-9._@-]{0,63}$/),
        keys: z.array(keySchema).min(1).max(8),
      }),
    )
    .min(3)
    .max(16),
});
export type Membership = z.infer<typeof membershipSchema>;
export type MemberKey = z.infer<typeof keySchema>;

/** A registered key and whose it is. */
export interface RegisteredKey {
  /** SHA-256 of the public key, hex. */
  readonly keyId: string;
  readonly member: string;
  readonly key: MemberKey;
}

/** A membership that was checked. */
export interface Quorum {
  /** 0 for the configured one, then one more with each change. */
  readonly generation: number;
  readonly membership: Membership;
  /** SHA-256 of its canonical text, hex. */
  readonly digest: string;
  readonly keys: ReadonlyMap<string, RegisteredKey>;
}

export function keyIdOf(key: MemberKey): string {
  return createHash('sha256').update(fromBase64Url(key.publicKey)).digest('hex');
}

/**
 * Reads a membership. Throws `QUORUM_INVALID`: fewer than 3 or more than 16 members, a threshold above their number, a
 * name or key that stands twice (also as another kind of key), a key that is none.
 */
export async function parseMembership(value: unknown, generation: number): Promise<Quorum> {
  const parsed = membershipSchema.safeParse(value);
  if (!parsed.success) {
    const place = parsed.error.issues[0]?.path.map(String).join('.') ?? '';
    throw new FastnessError('QUORUM_INVALID', `At ${place === '' ? 'the top' : place}.`);
  }
  const membership = parsed.data;
  if (membership.threshold > membership.members.length) {
    throw new FastnessError('QUORUM_INVALID', `${membership.threshold} of ${membership.members.length}.`);
  }
  if (new Set(membership.members.map(({ id }) => id)).size !== membership.members.length) {
    throw new FastnessError('QUORUM_INVALID', 'Two members have the same name.');
  }
  const keys = new Map<string, RegisteredKey>();
  for (const { id, keys: own } of membership.members) {
    for (const key of own) {
      await checkKey(id, key.publicKey);
      const keyId = keyIdOf(key);
      const other = keys.get(keyId);
      if (other !== undefined) throw new FastnessError('QUORUM_INVALID', `${other.member} and ${id} have one key.`);
      keys.set(keyId, { keyId, member: id, key });
    }
  }
  return { generation, membership, digest: digestOf(canonicalJson(membership)), keys };
}

/** The key has one encoding, is on its curve and of a kind that can approve. */
async function checkKey(id: string, text: string): Promise<void> {
  try {
    const bytes = fromBase64Url(text);
    if (toBase64Url(bytes) !== text) throw new FastnessError('QUORUM_INVALID');
    await importQuorum({ threshold: 1, approvers: [{ id: 'member', publicKey: bytes }] });
  } catch (cause) {
    if (!(cause instanceof FastnessError)) throw cause;
    throw new FastnessError('QUORUM_INVALID', `A key of ${id} cannot be used.`, { cause });
  }
}
