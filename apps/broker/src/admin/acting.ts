import { AsyncLocalStorage } from 'node:async_hooks';
import { FastnessError } from '@fastness/codec/errors';
import { administrativeKinds, type AuditFacts } from '../audit/facts.ts';
import { withAppend, type AuditLog } from '../audit/log.ts';
import type { AdminRole } from './roles.ts';

/** An administrator who was authenticated. */
export interface AdminIdentity {
  /** As the configuration calls him. */
  readonly name: string;
  readonly via: 'token' | 'certificate' | 'oidc';
  /** SHA-256 (hex) of issuer and subject, where a name stands for a group. */
  readonly subject?: string;
  readonly roles: readonly AdminRole[];
}

const acting = new AsyncLocalStorage<AdminIdentity>();

/** Runs a request of an administrator: what it writes into the audit log names him. */
export async function actingAs<T>(identity: AdminIdentity, work: () => Promise<T>): Promise<T> {
  return await acting.run(identity, work);
}

/** Whose request this is. Throws `BROKER_INTERNAL` outside of one. */
export function actingAdministrator(): AdminIdentity {
  const identity = acting.getStore();
  if (identity === undefined) throw new FastnessError('BROKER_INTERNAL', 'No administrator.');
  return identity;
}

/** Throws `BROKER_ADMIN_FORBIDDEN` unless the administrator has one of these roles. */
export function requireRole(roles: readonly AdminRole[], identity: AdminIdentity = actingAdministrator()): void {
  if (!identity.roles.some((role) => roles.includes(role)))
    throw new FastnessError('BROKER_ADMIN_FORBIDDEN', `It takes one of: ${roles.join(', ')}.`);
}

/**
 * The same log; entries about what administrators do name whose request it is. Here and not where entries are made, so that
 * no route can forget it.
 */
export function attributedAudit(log: AuditLog): AuditLog {
  return withAppend(log, async (kind, facts) => {
    const identity = acting.getStore();
    if (identity === undefined || !administrativeKinds.has(kind)) return await log.append(kind, facts);
    return await log.append(kind, Object.assign({}, facts, { by: asFacts(identity) }));
  });
}

function asFacts({ name, via, subject }: AdminIdentity): NonNullable<AuditFacts<'revocation'>['by']> {
  return { name, via, ...(subject === undefined ? {} : { subject }) };
}
