import { createHmac, randomBytes } from 'node:crypto';

/** Whose request it is, as far as it shows: names that are made here and that mean nothing outside. */
export interface Tenant {
  /** Whom the queue counts it with; requests without a key are all nobody's. */
  readonly id: string;
  /** Keeps caches of a server apart: 43 characters. One of its own for every request without a key. */
  readonly salt: string;
}

/** Born with the process and never told: with it nobody can choose a salt, or tell a key from one. */
const secret = randomBytes(32);

/** A tenant that the owner of the model knows, by the name it has in the list of tenants. */
export function namedTenant(id: string): Tenant {
  return named(id, 'fastness/listed-tenant/v1');
}

/**
 * Where the release lists no tenants: the tenant of a request is its `authorization` field inside the channel. Whether the key is a good one is not asked here:
 * who has several is several tenants.
 */
export function tenantOf(headers: Headers): Tenant {
  const key = headers.get('authorization');
  if (key === null || key === '') return { id: '', salt: randomBytes(32).toString('base64url') };
  return named(key, 'fastness/tenant/v1');
}

function named(text: string, label: string): Tenant {
  const id = createHmac('sha256', secret).update(label).update(text).digest('base64url');
  return { id, salt: createHmac('sha256', secret).update('fastness/cache-salt/v1').update(id).digest('base64url') };
}
