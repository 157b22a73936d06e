import { keyIdOf, parseClientPolicy, type ClientPolicy } from '@fastness/client/portable';
import { fromBase64Url, toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

const maxLength = 1_000_000;

/** A policy that was read, and where from. */
export interface LoadedPolicy {
  readonly policy: ClientPolicy;
  readonly origin: string;
  /** SHA-256 of its text, hex: what two people compare to know that they hold the same one. */
  readonly digest: string;
  /** Of each owner key, in the order of the policy: SHA-256 of its PEM, hex, as releases name it. */
  readonly ownerKeyIds: readonly string[];
  /** What the reader had been told otherwise, and found here. */
  readonly pinned?: 'owner key' | 'policy';
}

/** @throws FastnessError `CLIENT_POLICY_INVALID` */
export async function policyFrom(text: string, origin: string): Promise<LoadedPolicy> {
  if (text.length > maxLength) throw new FastnessError('CLIENT_POLICY_INVALID', `More than ${maxLength} characters.`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new FastnessError('CLIENT_POLICY_INVALID', 'It is not JSON.');
  }
  const policy = parseClientPolicy(document);
  const ownerKeyIds = await Promise.all(policy.ownerKeys.map(async (key) => keyIdOf(fromBase64Url(key))));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return { policy, origin, digest: toHex(new Uint8Array(digest)), ownerKeyIds };
}

/**
 * Holds a policy to what its reader was told of it by another way: the fingerprint of an owner key, which then is the only one that
 * counts, or that of the policy's file. Hex; spaces, colons and capitals do not matter. Empty: nothing was told.
 * @throws FastnessError `CLIENT_POLICY_INVALID`, `CLIENT_POLICY_PIN`
 */
export function pinnedTo(loaded: LoadedPolicy, told: string): LoadedPolicy {
  const pin = told.replaceAll(/[\s:]/g, '').toLowerCase();
  if (pin === '') return loaded;
  if (!/^[0-9a-f]{64}$/.test(pin))
    throw new FastnessError(
      'CLIENT_POLICY_INVALID',
      'The fingerprint is not one: a SHA-256 has 64 hexadecimal digits.',
    );
  if (pin === loaded.digest) return { ...loaded, pinned: 'policy' };
  const ownerKey = loaded.policy.ownerKeys[loaded.ownerKeyIds.indexOf(pin)];
  if (ownerKey === undefined) throw new FastnessError('CLIENT_POLICY_PIN', `It is ${pin}.`);
  // Sets of keys that follow this one are not followed: whoever names one key means that one.
  const { ownerRoots: _, ...policy } = loaded.policy;
  return { ...loaded, policy: { ...policy, ownerKeys: [ownerKey] }, ownerKeyIds: [pin], pinned: 'owner key' };
}

/** What a policy accepts, so that the wrong file is noticed. */
export function policyFacts({
  policy,
  origin,
  digest,
  ownerKeyIds,
}: LoadedPolicy): readonly (readonly [label: string, value: string])[] {
  const { attestation, quorum } = policy;
  const kinds = Object.keys(attestation).filter((name) => !['version', 'id', 'waivers', 'simulated'].includes(name));
  const simulated = attestation.simulated === undefined ? [] : ['SIMULATED, which protects nothing'];
  return [
    ['Policy', `“${attestation.id}”, which ${origin}`],
    ['Fingerprint of the policy', digest],
    ...ownerKeyIds.map((id) => ['Owner key', id] as const),
    ['Approvals', `${quorum.threshold} of ${quorum.approvers.map(({ id }) => id).join(', ')}`],
    ['Evidence', [...kinds, ...simulated].join(', ')],
    ['Waived', attestation.waivers.map(({ check }) => check).join(', ') || 'nothing'],
  ];
}
