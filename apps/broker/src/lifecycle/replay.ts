import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';
import type { AuditEntry } from '../audit/entry.ts';
import type { BrokerDatabase } from '../store/index.ts';
import { lifecycleFacts, quorumFacts } from './facts.ts';
import type { LoggedRules } from './governance.ts';
import { generations } from './in-force.ts';
import { changeWrappingKey, readWrappingKey } from './wrapping-keys.ts';

/**
 * What the audit log knows of keys, quorum and policy and a restored database may not. Minimum versions and states of
 * keys are taken over from the log; memberships and policies cannot be (the log holds digests only), so a database that
 * lacks them is refused.
 */
export interface LifecycleReplay {
  /** To be given every entry of the log, in order. */
  see(entry: AuditEntry): void;
  /** Throws `QUORUM_STATE_BEHIND`, `LIFECYCLE_POLICY_ROLLBACK`. */
  apply(db: BrokerDatabase): Promise<void>;
  /** What was seen of policies and memberships, to compare the database with. */
  logged(): Omit<LoggedRules, 'all'>;
}

/** @param after the number of the last entry that the database is known to include */
export function createLifecycleReplay(after: number): LifecycleReplay {
  const minimums = new Map<number, z.infer<(typeof lifecycleFacts)['wrapping-key-minimum']>>();
  const states = new Map<number, z.infer<(typeof lifecycleFacts)['wrapping-key-state']>>();
  const memberships = new Map<number, z.infer<(typeof quorumFacts)['quorum-changed']>>();
  const policies = new Map<number, z.infer<(typeof lifecycleFacts)['policy-changed']>>();
  return {
    see(entry) {
      const { seq, kind } = entry;
      if (kind === 'quorum-changed') memberships.set(seq, read(quorumFacts[kind], entry));
      else if (kind === 'policy-changed') policies.set(seq, read(lifecycleFacts[kind], entry));
      else if (kind === 'wrapping-key-minimum' && seq > after) minimums.set(seq, read(lifecycleFacts[kind], entry));
      else if (kind === 'wrapping-key-state' && seq > after) states.set(seq, read(lifecycleFacts[kind], entry));
      else if (kind === 'not-committed') {
        const undone = Number(entry.facts['entry']);
        for (const seen of [minimums, states, memberships, policies]) seen.delete(undone);
      }
    },
    async apply(db) {
      for (const { wrappingKey, minimumVersion } of minimums.values()) {
        const { minimum_version: before } = await readWrappingKey(db, wrappingKey);
        if (minimumVersion > before) await changeWrappingKey(db, wrappingKey, { minimum_version: minimumVersion });
      }
      for (const { wrappingKey, state, destroyAt } of states.values()) {
        await changeWrappingKey(db, wrappingKey, { state, destroy_at: destroyAt ?? null });
      }
      const last = await generations(db);
      if (lastOf(memberships) > last.membership) throw new FastnessError('QUORUM_STATE_BEHIND');
      if (lastOf(policies) > last.policy) throw new FastnessError('LIFECYCLE_POLICY_ROLLBACK');
    },
    // Of two entries for one generation the later counts: nobody could say at once whether the first was committed.
    logged: () => ({
      policies: new Map(
        [...policies.values()].map(({ generation, policyDigest, proposal }) => [
          generation,
          { digest: policyDigest, proposal },
        ]),
      ),
      memberships: new Map([...memberships.values()].map(({ generation, proposal }) => [generation, proposal])),
    }),
  };
}

function lastOf(entries: ReadonlyMap<number, { readonly generation: number }>): number {
  return Math.max(0, ...[...entries.values()].map(({ generation }) => generation));
}

function read<T>(schema: z.ZodType<T>, entry: AuditEntry): T {
  const facts = schema.safeParse(entry.facts);
  if (!facts.success) throw new FastnessError('AUDIT_CHAIN_BROKEN', `Entry ${entry.seq}: facts of another shape.`);
  return facts.data;
}
