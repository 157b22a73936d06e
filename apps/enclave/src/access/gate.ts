import { timingSafeEqual } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import { apiKeyDigest, apiKeyId, type Access } from '@fastness/model';
import type { Clock } from '../lease.ts';
import { namedTenant, tenantOf } from '../serve/inner/tenant.ts';
import { Pass } from './pass.ts';
import { TenantUsage } from './tenant-usage.ts';

/** Decides who is let in. Throws FastnessError, TenantLimit. */
export type Gate = (headers: Headers) => Pass;

/** Where the release asks for no keys: everybody, without limits, and told apart only by what they present. */
export const openGate: Gate = (headers) => new Pass(tenantOf(headers), () => {});

interface Known {
  readonly tenant: string;
  readonly digest: Buffer;
}

/** Compared with where nothing else is, so that an unknown key takes as long as a wrong one. */
const nobody: Known = { tenant: '', digest: Buffer.alloc(32) };

/** Lets in who has a key of the list of tenants, as often as the list says. */
export class TenantGate {
  readonly #clock: Clock;
  #now: () => Date = () => new Date(8.64e15);
  readonly #keys = new Map<string, Known>();
  /** As many as the list has tenants. */
  readonly #usage = new Map<string, TenantUsage>();
  #expires = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whose time counts, from the first lease on; before it everything has expired. */
  keepTime(now: () => Date): void {
    this.#now = now;
  }

  /** Replaces the list. Who is still on it goes on with what they used; who is not is refused from the next request on. */
  use({ tenants, expires }: Pick<Access, 'tenants' | 'expires'>): void {
    this.#expires = Date.parse(expires);
    this.#keys.clear();
    const left = new Set(this.#usage.keys());
    for (const { id, keys, limits } of tenants) {
      left.delete(id);
      const usage = this.#usage.get(id);
      if (usage === undefined) this.#usage.set(id, new TenantUsage(namedTenant(id), limits, this.#clock()));
      else usage.limits = limits;
      for (const key of keys) this.#keys.set(key.id, { tenant: id, digest: Buffer.from(key.sha256, 'hex') });
    }
    for (const id of left) this.#usage.delete(id);
  }

  /** Throws ENCLAVE_ACCESS_EXPIRED, ENCLAVE_API_KEY; TenantLimit with ENCLAVE_TENANT_*. */
  readonly enter: Gate = (headers) => {
    const now = this.#now();
    if (now.getTime() >= this.#expires) throw new FastnessError('ENCLAVE_ACCESS_EXPIRED');
    const usage = this.#usage.get(this.#tenantWith(headers.get('authorization')));
    if (usage === undefined) throw new FastnessError('ENCLAVE_API_KEY');
    usage.enter(this.#clock(), now);
    return new Pass(usage.tenant, (tokens) => usage.leave(this.#now(), tokens));
  };

  /** The tenant of a key; of none, the empty name, which no tenant has. */
  #tenantWith(authorization: string | null): string {
    const key = /^Bearer (\S{1,256})$/iu.exec(authorization ?? '')?.[1] ?? '';
    const known = this.#keys.get(apiKeyId(key) ?? '') ?? nobody;
    return timingSafeEqual(apiKeyDigest(key), known.digest) ? known.tenant : '';
  }
}
