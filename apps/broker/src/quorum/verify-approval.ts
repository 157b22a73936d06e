import { fromBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { importVerifyKey, signatureFits } from '@fastness/model/release';
import { z } from 'zod';
import { challengeOf } from './challenge.ts';
import type { Quorum, RegisteredKey } from './membership.ts';
import { approvalMessage } from './proposal.ts';
import { assertionSchema, readAssertion } from './webauthn.ts';

/** What a key answered its challenge with. */
export const proofSchema = z.discriminatedUnion('kind', [
  /** ECDSA in DER, Ed25519 raw; base64url. */
  z.strictObject({ kind: z.literal('key'), signature: z.string().regex(/^[A-Za-z0-9_-]{8,400}$/) }),
  z.strictObject({ kind: z.literal('webauthn'), assertion: assertionSchema }),
]);
export type Proof = z.infer<typeof proofSchema>;

/** An approval as it is kept, to be verified again at execution and at every start. */
export interface StoredApproval {
  readonly keyId: string;
  readonly nonce: string;
  readonly proof: Proof;
}

/**
 * Verifies one approval of a proposal. Returns whose it is and, of a WebAuthn key, its counter.
 * Throws `QUORUM_KEY_UNKNOWN`, `QUORUM_SIGNATURE`, `QUORUM_WEBAUTHN_*`.
 */
export async function verifyApproval(
  quorum: Quorum,
  proposalDigest: string,
  approval: StoredApproval,
): Promise<{ readonly registered: RegisteredKey; readonly counter?: number }> {
  const registered = quorum.keys.get(approval.keyId);
  if (registered === undefined || registered.key.kind !== approval.proof.kind) {
    throw new FastnessError('QUORUM_KEY_UNKNOWN');
  }
  const { key, member, keyId } = registered;
  const challenge = challengeOf({ proposalDigest, member, keyId, nonce: approval.nonce });
  const publicKey = fromBase64Url(key.publicKey);
  const { proof } = approval;
  if (proof.kind === 'key') {
    await fits({ publicKey, signature: decoded(proof.signature), message: approvalMessage(challenge) });
    return { registered };
  }
  if (key.kind !== 'webauthn') throw new FastnessError('QUORUM_KEY_UNKNOWN');
  const { rpId, origins } = key;
  const { signed, signature, counter } = readAssertion(proof.assertion, { challenge, rpId, origins });
  await fits({ publicKey, signature, message: signed });
  return { registered, counter };
}

/**
 * Verifies all approvals of a proposal and counts the members behind them; several keys of one member are one vote.
 * Throws as `verifyApproval` does, and `QUORUM_APPROVALS_MISSING`.
 */
export async function requireQuorum(
  quorum: Quorum,
  proposalDigest: string,
  approvals: readonly StoredApproval[],
): Promise<string[]> {
  const members = new Set<string>();
  for (const approval of approvals) {
    members.add((await verifyApproval(quorum, proposalDigest, approval)).registered.member);
  }
  const { threshold } = quorum.membership;
  if (members.size < threshold) throw new FastnessError('QUORUM_APPROVALS_MISSING', `${members.size} of ${threshold}.`);
  return [...members].sort();
}

async function fits(options: { publicKey: Uint8Array; signature: Uint8Array; message: Uint8Array }): Promise<void> {
  const key = await importVerifyKey(options.publicKey, ['P-256', 'P-384', 'Ed25519']);
  if (!(await signatureFits(key, options.signature, options.message))) throw new FastnessError('QUORUM_SIGNATURE');
}

function decoded(text: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch (cause) {
    throw new FastnessError('QUORUM_SIGNATURE', 'Not base64url.', { cause });
  }
}
