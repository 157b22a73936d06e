import { fromBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { wrappedKeyFromJson, wrappedKeyToJson } from '@fastness/keys';
import { z } from 'zod';
import { commitRecorded, type BrokerContext } from '../context.ts';
import { refuseLowTcb } from '../lifecycle/tcb.ts';
import { refuseUnusable } from '../lifecycle/wrapping-keys.ts';
import { asStoreError, refuseRevoked, type BrokerDatabase } from '../store/index.ts';
import { resourcePathSchema } from './facts.ts';
import { guestKeyDigest } from './guest-key.ts';
import { encryptToGuest, type FlattenedJwe } from './jwe.ts';
import { openValue, sealValue } from './sealed-value.ts';
import { withResources } from './tables.ts';
import type { AttestedGuest } from './token.ts';

/** Guests that may have a resource: a kind of TEE and a launch measurement (MRTD for TDX). Nothing simulated. */
const guestsSchema = z
  .array(z.strictObject({ tee: z.enum(['sev-snp', 'tdx']), measurement: z.string().regex(/^[0-9a-f]{96}$/) }))
  .min(1)
  .max(64);

/** Body of `PUT /v1/admin/resources`. */
export const resourceRegistrationSchema = z.strictObject({
  path: resourcePathSchema,
  /** The resource in clear, base64url, at most 64 KiB. */
  value: z.string().regex(/^[A-Za-z0-9_-]{1,87382}$/),
  /** The key of the broker's key store that wraps it. */
  wrappingKey: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
  guests: guestsSchema,
});
export type ResourceRegistration = z.infer<typeof resourceRegistrationSchema>;

/** Answer to `PUT` and `GET /v1/admin/resources`. Values are not told. */
export const registeredResourceSchema = z.strictObject({
  path: z.string(),
  guests: guestsSchema,
  wrappingKey: z.string(),
  wrappingKeyVersion: z.int().positive(),
});
export type RegisteredResource = z.infer<typeof registeredResourceSchema>;

/**
 * Seals a resource and keeps it, in place of what was at its path. Throws `BROKER_REQUEST_INVALID` (not base64url),
 * `RCAR_RESOURCE_UNUSABLE` (no such wrapping key), `BROKER_KEY_STORE`, `LIFECYCLE_` codes for a key out of use.
 */
export async function registerResource(
  context: BrokerContext,
  request: ResourceRegistration,
): Promise<RegisteredResource> {
  const { path, wrappingKey } = request;
  const guests = JSON.stringify(request.guests);
  const value = decodeValue(request.value);
  const { wrappedKey, sealed } = await sealValue(context.keyStore, wrappingKey, value, { path, guests })
    .catch((cause: unknown) => {
      const usage = cause instanceof FastnessError && ['KEYS_ID_UNKNOWN', 'KEYS_PURPOSE'].includes(cause.code);
      throw new FastnessError(usage ? 'RCAR_RESOURCE_UNUSABLE' : 'BROKER_KEY_STORE', undefined, { cause });
    })
    .finally(() => value.fill(0));
  const row = {
    guests,
    wrapped_key: JSON.stringify(wrappedKeyToJson(wrappedKey)),
    sealed,
    registered_at: context.now().toISOString(),
  };
  const facts = { wrappingKey: wrappedKey.keyId, wrappingKeyVersion: wrappedKey.keyVersion };
  return await commitRecorded(context, async (trx) => {
    await refuseUnusable(trx, wrappedKey);
    await withResources(trx)
      .insertInto('resources')
      .values({ path, ...row })
      .onConflict((conflict) => conflict.column('path').doUpdateSet(row))
      .execute();
    return {
      kind: 'resource-registered',
      facts: { resource: path, guests: request.guests.length, ...facts },
      result: { path, guests: request.guests, ...facts },
    };
  });
}

function decodeValue(text: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch {
    // Without the cause: nothing of the value may be in an error.
    throw new FastnessError('BROKER_REQUEST_INVALID', 'At /value not base64url.');
  }
}

/** Removes a resource. Throws `RCAR_RESOURCE_UNKNOWN`. */
export async function removeResource(context: BrokerContext, path: string): Promise<void> {
  await commitRecorded(context, async (trx) => {
    const { numDeletedRows } = await withResources(trx)
      .deleteFrom('resources')
      .where('path', '=', path)
      .executeTakeFirst();
    if (numDeletedRows !== 1n) throw new FastnessError('RCAR_RESOURCE_UNKNOWN');
    return { kind: 'resource-removed', facts: { resource: path }, result: undefined };
  });
}

export async function listResources(
  context: BrokerContext,
  page: { after: string; limit: number },
): Promise<RegisteredResource[]> {
  const rows = await asStoreError(() =>
    withResources(context.db)
      .selectFrom('resources')
      .select(['path', 'guests', 'wrapped_key'])
      .where('path', '>', page.after)
      .orderBy('path')
      .limit(page.limit)
      .execute(),
  );
  return rows.map(({ path, guests, wrapped_key: wrapped }) => {
    const { keyId, keyVersion } = wrappedKeyFromJson(JSON.parse(wrapped));
    return {
      path,
      guests: guestsSchema.parse(JSON.parse(guests)),
      wrappingKey: keyId,
      wrappingKeyVersion: keyVersion,
    };
  });
}

/** The measurements of a TEE that some resource is registered for. */
export async function registeredMeasurements(db: BrokerDatabase, tee: AttestedGuest['tee']): Promise<string[]> {
  const rows = await asStoreError(() => withResources(db).selectFrom('resources').select('guests').execute());
  const all = rows.flatMap(({ guests }) => guestsSchema.parse(JSON.parse(guests)));
  return [...new Set(all.filter((guest) => guest.tee === tee).map(({ measurement }) => measurement))];
}

/**
 * Gives a resource to a guest that attested, in the order of a key release: in one transaction, what was revoked is refused
 * and the audit entry recorded; only then is the resource opened and encrypted to the key of the guest. When that last step
 * fails, an entry says so. Throws `RCAR_RESOURCE_UNKNOWN`, `RCAR_RESOURCE_DENIED`, `RCAR_RESOURCE_UNUSABLE`, `BROKER_..._REVOKED`,
 * `LIFECYCLE_` codes, `RCAR_KEY_` codes.
 */
export async function releaseResource(
  context: BrokerContext,
  path: string,
  guest: AttestedGuest,
): Promise<FlattenedJwe> {
  const { tee, measurement, platform, tokenId, waivers } = guest;
  const resource = await commitRecorded(context, async (trx) => {
    const row = await withResources(trx)
      .selectFrom('resources')
      .selectAll()
      .where('path', '=', path)
      .executeTakeFirst();
    if (row === undefined) throw new FastnessError('RCAR_RESOURCE_UNKNOWN');
    const guests = guestsSchema.parse(JSON.parse(row.guests));
    if (!guests.some((each) => each.tee === tee && each.measurement === measurement)) {
      throw new FastnessError('RCAR_RESOURCE_DENIED');
    }
    const wrappedKey = wrappedKeyFromJson(JSON.parse(row.wrapped_key));
    const { keyId, keyVersion } = wrappedKey;
    await refuseRevoked(trx, [
      { kind: 'measurement', value: measurement },
      { kind: 'platform', value: platform },
      { kind: 'key', value: `wrap:${keyId}` },
      { kind: 'key', value: `wrap:${keyId}:${keyVersion}` },
    ]);
    await refuseLowTcb(trx, guest.tcb);
    await refuseUnusable(trx, wrappedKey);
    const facts = {
      resource: path,
      tee,
      simulated: false as const,
      measurement,
      platform,
      guestKey: guestKeyDigest(guest.key),
      token: tokenId,
      policyId: context.policy.policy.id,
      waivers,
    };
    return { kind: 'resource-released', facts, result: { guests: row.guests, sealed: row.sealed, wrappedKey } };
  });
  try {
    const value = await openValue(context.keyStore, resource, { path, guests: resource.guests });
    try {
      return encryptToGuest(guest.key, value);
    } finally {
      value.fill(0);
    }
  } catch (error) {
    const code = error instanceof FastnessError ? error.code : 'BROKER_INTERNAL';
    await context.audit.append('resource-withheld', { resource: path, token: tokenId, code });
    throw error;
  }
}
