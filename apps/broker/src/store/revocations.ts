import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { Kysely } from 'kysely';
import type { BrokerTables } from './tables.ts';

export type RevocationKind = 'release' | 'measurement' | 'platform';

/** A revocation in the form in which values are compared. There is no way back: what was revoked stays so. */
export interface Revocation {
  readonly kind: RevocationKind;
  readonly value: string;
}

const codes: Readonly<Record<RevocationKind, ErrorCode>> = Object.freeze({
  release: 'BROKER_RELEASE_REVOKED',
  measurement: 'BROKER_MEASUREMENT_REVOKED',
  platform: 'BROKER_PLATFORM_REVOKED',
});

/** Records a revocation; revoking again changes nothing. */
export async function saveRevocation(
  db: Kysely<BrokerTables>,
  revocation: Revocation & { reason: string; revokedAt: string },
): Promise<void> {
  await db
    .insertInto('revocations')
    .values({
      kind: revocation.kind,
      value: revocation.value,
      reason: revocation.reason,
      revoked_at: revocation.revokedAt,
    })
    .onConflict((conflict) => conflict.columns(['kind', 'value']).doNothing())
    .execute();
}

/** Throws `BROKER_RELEASE_REVOKED`, `BROKER_MEASUREMENT_REVOKED` or `BROKER_PLATFORM_REVOKED` for the first that is. */
export async function refuseRevoked(db: Kysely<BrokerTables>, facts: readonly Revocation[]): Promise<void> {
  for (const { kind, value } of facts) {
    const found = await db
      .selectFrom('revocations')
      .select('revoked_at')
      .where('kind', '=', kind)
      .where('value', '=', value)
      .executeTakeFirst();
    if (found !== undefined) throw new FastnessError(codes[kind], `Revoked at ${found.revoked_at}.`);
  }
}

/** The name of a platform in leases and revocations; providers' names are compared without case. */
export function platformName(identity: { kind: string; value: string }): string {
  return `${identity.kind}:${identity.value}`.toLowerCase();
}

/**
 * Brings what an administrator typed into the form in which it is compared: a revocation that never matches would be
 * worse than none. Platforms may be given bare or as `chip-id:...` / `csp-id:...`; the 64-byte form of a Turin chip id
 * (8 bytes, then zeros) becomes the 8-byte form that claims use. Throws `BROKER_REQUEST_INVALID`.
 */
export function canonicalRevocation(kind: RevocationKind, value: string): Revocation {
  const text = value.toLowerCase();
  if (kind !== 'platform') {
    const characters = kind === 'release' ? 64 : 96;
    if (text.length !== characters || !/^[0-9a-f]+$/.test(text)) {
      throw new FastnessError('BROKER_REQUEST_INVALID', `value: expected ${characters} hex digits.`);
    }
    return { kind, value: text };
  }
  const given = /^(chip-id|csp-id):(.+)$/.exec(text);
  const bare = given?.[2] ?? text;
  const isChip = /^(?:[0-9a-f]{16}|[0-9a-f]{128})$/.test(bare);
  if (given?.[1] === 'chip-id' && !isChip) {
    throw new FastnessError('BROKER_REQUEST_INVALID', 'value: a chip id has 16 or 128 hex digits.');
  }
  if (given?.[1] === 'csp-id' || !isChip) {
    if (!/^[ -~]{1,64}$/.test(bare))
      throw new FastnessError('BROKER_REQUEST_INVALID', 'value: not a platform identity.');
    return { kind, value: `csp-id:${bare}` };
  }
  const short = bare.length === 128 && /^0+$/.test(bare.slice(16)) ? bare.slice(0, 16) : bare;
  return { kind, value: `chip-id:${short}` };
}
