import {
  approvalMessage,
  challengeOf,
  proposalViewSchema,
  readProposal,
  type ProposalView,
  type ProposedAction,
  type Proof,
} from '@fastness/broker';
import { createHash } from 'node:crypto';
import { toBase64Url, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import { parseRelease, releaseDigestOf } from '@fastness/model/release';
import { callBrokerAdmin } from './broker-admin.ts';
import type { Context } from './run.ts';

/** Bytes of an answer about proposals, which carry what they are about. */
export const proposalAnswerLimit = 64 * 1024 * 1024;

/** A proposal as the broker shows it, checked to be what it says. Throws PROPOSAL_MISMATCH. */
export async function fetchProposal(
  { home, signal }: Context,
  id: string,
  url?: string,
): Promise<ProposalView & { readonly proposed: ProposedAction }> {
  const view = await callBrokerAdmin(home, {
    method: 'GET',
    path: `/v1/admin/proposals/${encodeURIComponent(id)}`,
    answer: proposalViewSchema,
    answerLimit: proposalAnswerLimit,
    signal,
    ...(url === undefined ? {} : { url }),
  });
  const { proposal, digest, action } = readProposal(view.document, view.payload);
  // From the bytes themselves: what is signed is this text and nothing that the broker says about it.
  if (proposal.id !== id || digest !== view.digest || proposal.action !== view.action)
    throw new FastnessError('PROPOSAL_MISMATCH', 'The broker describes another proposal.');
  return { ...view, reason: proposal.reason, expiresAt: proposal.expiresAt, proposed: action };
}

/** Lines that say what a proposal would do, computed from its bytes. */
export async function describeAction(action: ProposedAction): Promise<string[]> {
  if (action.kind === 'release') {
    const { bundle, release } = action.registration.package;
    const { modelId, version, expires, measurements } = parseRelease(release);
    return [
      `Register release ${modelId} v${version}, until ${expires}`,
      `  digest ${toHex(await releaseDigestOf(bundle))}`,
      ...measurements.map(({ tee, simulated, value }) => `  opens in ${simulated ? 'SIMULATED ' : ''}${tee} ${value}`),
    ];
  }
  if (action.kind === 'policy') return ['Replace the broker policy with:', JSON.stringify(action.policy, null, 2)];
  if (action.kind === 'key-destruction') {
    return [`Destroy the wrapping key ${action.keyId}, ${action.delaySeconds} seconds after execution`];
  }
  const { threshold, members } = action.membership;
  return [
    `Replace the quorum: ${threshold} of ${members.length}`,
    ...members.map(({ id, keys }) => `  ${id}: ${keys.map((key) => `${key.kind} ${key.publicKey}`).join(', ')}`),
  ];
}

/** Answers the challenge of a key. Throws QUORUM_KEY_UNKNOWN when the key has none. */
export async function signApproval(
  view: ProposalView,
  keyStore: KeyStore,
  storedKey: string,
): Promise<{ readonly keyId: string; readonly member: string; readonly proof: Proof }> {
  const publicKey = await keyStore.publicKey(storedKey);
  const keyId = createHash('sha256').update(publicKey).digest('hex');
  const found = view.challenges.find((challenge) => challenge.keyId === keyId && challenge.kind === 'key');
  if (found === undefined) throw new FastnessError('QUORUM_KEY_UNKNOWN');
  const { member, nonce } = found;
  const challenge = challengeOf({ proposalDigest: view.digest, member, keyId, nonce });
  const signature = await keyStore.sign(storedKey, approvalMessage(challenge));
  return { keyId, member, proof: { kind: 'key', signature: toBase64Url(signature) } };
}
