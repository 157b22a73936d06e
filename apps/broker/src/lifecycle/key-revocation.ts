import { FastnessError } from '@fastness/codec/errors';
import type { UsableRelease } from '../authorise-release.ts';
import type { BrokerDatabase } from '../store/index.ts';

/*
 * Keys that can be revoked, by what they do:
 *
 *   wrap:ID             a wrapping key with all its versions
 *   wrap:ID:VERSION     one version of it; what was rewrapped stands
 *   owner:HEX           an owner's key, SHA-256 of its PEM: no release that it signed stands
 *   approver:ID         an approver: releases need enough others
 */
const forms = [
  /^wrap:[a-z0-9][a-z0-9._-]{0,63}(?::[1-9]\d{0,9})?$/,
  /^owner:[0-9a-f]{64}$/,
  /^approver:[a-z0-9][a-z0-9._@-]{0,63}$/,
];

/** Brings the name of a key into the form in which it is compared. Throws `BROKER_REQUEST_INVALID`. */
export function canonicalKeyName(value: string): string {
  const text = value.toLowerCase();
  if (forms.some((form) => form.test(text))) return text;
  throw new FastnessError(
    'BROKER_REQUEST_INVALID',
    'value: expected wrap:ID, wrap:ID:VERSION, owner:SHA256 or approver:ID.',
  );
}

/** What a release depends on, and whether it stands without one of them. */
export interface ReleaseKeys {
  readonly wrappingKey: string;
  readonly wrappingKeyVersion: number;
  readonly ownerKey: string;
  readonly approvedBy: readonly string[];
}

function releaseKeysOf({ root, verified }: Pick<UsableRelease, 'root' | 'verified'>): ReleaseKeys {
  return {
    wrappingKey: root.keyId,
    wrappingKeyVersion: root.keyVersion,
    ownerKey: verified.ownerKeyId,
    approvedBy: verified.approvedBy,
  };
}

/** The first name in `revoked` that takes this release's keys away; undefined when it stands. */
export function revokedKeyOf(
  keys: ReleaseKeys,
  revoked: ReadonlySet<string>,
  approvalsNeeded: number,
): string | undefined {
  const single = [
    `wrap:${keys.wrappingKey}`,
    `wrap:${keys.wrappingKey}:${keys.wrappingKeyVersion}`,
    `owner:${keys.ownerKey}`,
  ].find((name) => revoked.has(name));
  if (single !== undefined) return single;
  const gone = keys.approvedBy.map((id) => `approver:${id}`).filter((name) => revoked.has(name));
  return keys.approvedBy.length - gone.length < approvalsNeeded ? gone[0] : undefined;
}

/** Throws `LIFECYCLE_KEY_REVOKED`. */
export async function refuseRevokedKeys(
  db: BrokerDatabase,
  release: Pick<UsableRelease, 'root' | 'verified'>,
  approvalsNeeded: number,
): Promise<void> {
  const rows = await db.selectFrom('revocations').select('value').where('kind', '=', 'key').execute();
  const found = revokedKeyOf(releaseKeysOf(release), new Set(rows.map(({ value }) => value)), approvalsNeeded);
  if (found !== undefined) throw new FastnessError('LIFECYCLE_KEY_REVOKED', found);
}
