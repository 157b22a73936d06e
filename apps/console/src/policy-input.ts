import { parseClientPolicy, type ClientPolicy } from '@fastness/client/portable';
import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

const maxLength = 1_000_000;

/** A policy that was read, and where from. */
export interface LoadedPolicy {
  readonly policy: ClientPolicy;
  readonly origin: string;
  /** SHA-256 of its text, hex: what two people compare to know that they hold the same one. */
  readonly digest: string;
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
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return { policy: parseClientPolicy(document), origin, digest: toHex(new Uint8Array(digest)) };
}

/** What a policy accepts, so that the wrong file is noticed. */
export function policyFacts({
  policy,
  origin,
  digest,
}: LoadedPolicy): readonly (readonly [label: string, value: string])[] {
  const { attestation, quorum, ownerKeys } = policy;
  const kinds = Object.keys(attestation).filter((name) => !['version', 'id', 'waivers', 'simulated'].includes(name));
  const simulated = attestation.simulated === undefined ? [] : ['SIMULATED, which protects nothing'];
  return [
    ['Policy', `“${attestation.id}”, which ${origin}`],
    ['SHA-256', digest],
    ['Owner keys', String(ownerKeys.length)],
    ['Approvals', `${quorum.threshold} of ${quorum.approvers.map(({ id }) => id).join(', ')}`],
    ['Evidence', [...kinds, ...simulated].join(', ')],
    ['Waived', attestation.waivers.map(({ check }) => check).join(', ') || 'nothing'],
  ];
}
