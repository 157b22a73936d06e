import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { Kysely } from 'kysely';
import { canonicalKeyName } from '../lifecycle/key-revocation.ts';
import { canonicalTcbFloor } from '../lifecycle/tcb.ts';
import { canonicalPlatform } from '../platform.ts';
import type { BrokerTables } from './tables.ts';

export const revocationKinds = Object.freeze(['release', 'measurement', 'platform', 'tcb', 'key'] as const);
export type RevocationKind = (typeof revocationKinds)[number];

/** A revocation in the form in which values are compared. There is no way back: what was revoked stays so. */
export interface Revocation {
  readonly kind: RevocationKind;
  readonly value: string;
}

const codes: Readonly<Record<RevocationKind, ErrorCode>> = Object.freeze({
  release: 'BROKER_RELEASE_REVOKED',
  measurement: 'BROKER_MEASUREMENT_REVOKED',
  platform: 'BROKER_PLATFORM_REVOKED',
  tcb: 'LIFECYCLE_TCB_REVOKED',
  key: 'LIFECYCLE_KEY_REVOKED',
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

/** Hex digits that digests can have: SHA-256 of releases; measurements are 32, 48 or 64 bytes, by their TEE. */
const hexDigits: Readonly<Record<'release' | 'measurement', readonly number[]>> = Object.freeze({
  release: [64],
  measurement: [64, 96, 128],
});

/**
 * Brings what an administrator typed into the form in which it is compared: a revocation that never matches would be
 * worse than none. Platforms may be given as `kind:value` or bare;
 * the forms of TCB floors and keys are in ../lifecycle. Throws `BROKER_REQUEST_INVALID`.
 */
export function canonicalRevocation(kind: RevocationKind, value: string): Revocation {
  if (kind === 'tcb') return { kind, value: canonicalTcbFloor(value) };
  if (kind === 'key') return { kind, value: canonicalKeyName(value) };
  if (kind === 'platform') return { kind, value: canonicalPlatform(value) };
  const text = value.toLowerCase();
  if (!hexDigits[kind].includes(text.length) || !/^[0-9a-f]+$/.test(text)) {
    throw new FastnessError('BROKER_REQUEST_INVALID', `value: expected ${hexDigits[kind].join(' or ')} hex digits.`);
  }
  return { kind, value: text };
}
