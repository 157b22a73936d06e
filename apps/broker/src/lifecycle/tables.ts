import { FastnessError } from '@fastness/codec/errors';
import { Migrator, type Migration } from 'kysely/migration';
import type { BrokerDatabase } from '../store/index.ts';

/** Columns follow the rules of the broker's other tables: text and integers only, times as ISO 8601 with milliseconds. */
export interface GovernanceTables {
  /** What the broker knows of a wrapping key beyond its key store; a key without a row is enabled, from version 1. */
  wrapping_keys: {
    key_id: string;
    minimum_version: number;
    state: WrappingKeyState;
    /** When a scheduled destruction is due. */
    destroy_at: string | null;
    rotated_at: string | null;
    /** The version that a rotation under way goes to. */
    rotation_target: number | null;
  };
  /** The TCB of a lease's platform as JSON, to say whom a raised floor hits. */
  lease_tcb: { lease_id: string; tcb: string };
  /** Policies that replaced the configured one, each with the proposal that allowed it, if a quorum was needed. */
  policies: {
    generation: number;
    policy: string;
    digest: string;
    proposal_id: string | null;
    activated_at: string;
  };
  /** Memberships after the configured one (which is generation 0), each by a proposal under the one before it. */
  memberships: { generation: number; document: string; proposal_id: string; activated_at: string };
  proposals: {
    proposal_id: string;
    /** The canonical text that approvals are bound to. */
    document: string;
    /** What it would do, as canonical JSON; its digest is in the document. */
    payload: string;
    state: ProposalState;
    created_at: string;
    expires_at: string;
    decided_at: string | null;
    /** Why it failed. */
    code: string | null;
  };
  proposal_challenges: { proposal_id: string; key_id: string; nonce: string };
  proposal_approvals: { proposal_id: string; member: string; key_id: string; proof: string; approved_at: string };
  /** The highest signature counter of a WebAuthn key. */
  quorum_counters: { key_id: string; counter: number };
}

export type WrappingKeyState = 'enabled' | 'disabled' | 'destruction-scheduled' | 'destroying' | 'destroyed';
export type ProposalState = 'pending' | 'approved' | 'executing' | 'succeeded' | 'failed' | 'expired' | 'cancelled';

/** The same database or transaction, with the tables of this folder. */
// oxlint-disable-next-line typescript/explicit-function-return-type -- kysely names the joined type
export function governed(db: BrokerDatabase) {
  return db.$extendTables<{ [K in keyof GovernanceTables]: GovernanceTables[K] }>();
}

const migrations: Readonly<Record<string, Migration>> = Object.freeze({
  '0001-governance': {
    async up(db) {
      const { schema } = db;
      await schema
        .createTable('wrapping_keys')
        .addColumn('key_id', 'text', (column) => column.primaryKey())
        .addColumn('minimum_version', 'bigint', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('destroy_at', 'text')
        .addColumn('rotated_at', 'text')
        .addColumn('rotation_target', 'bigint')
        .execute();
      await schema
        .createTable('lease_tcb')
        .addColumn('lease_id', 'text', (column) => column.primaryKey())
        .addColumn('tcb', 'text', (column) => column.notNull())
        .execute();
      await schema
        .createTable('policies')
        .addColumn('generation', 'bigint', (column) => column.primaryKey())
        .addColumn('policy', 'text', (column) => column.notNull())
        .addColumn('digest', 'text', (column) => column.notNull())
        .addColumn('proposal_id', 'text')
        .addColumn('activated_at', 'text', (column) => column.notNull())
        .execute();
      await schema
        .createTable('memberships')
        .addColumn('generation', 'bigint', (column) => column.primaryKey())
        .addColumn('document', 'text', (column) => column.notNull())
        .addColumn('proposal_id', 'text', (column) => column.notNull())
        .addColumn('activated_at', 'text', (column) => column.notNull())
        .execute();
      await schema
        .createTable('proposals')
        .addColumn('proposal_id', 'text', (column) => column.primaryKey())
        .addColumn('document', 'text', (column) => column.notNull())
        .addColumn('payload', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('created_at', 'text', (column) => column.notNull())
        .addColumn('expires_at', 'text', (column) => column.notNull())
        .addColumn('decided_at', 'text')
        .addColumn('code', 'text')
        .execute();
      await schema
        .createTable('proposal_challenges')
        .addColumn('proposal_id', 'text', (column) => column.notNull())
        .addColumn('key_id', 'text', (column) => column.notNull())
        .addColumn('nonce', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('proposal_challenges_primary_key', ['proposal_id', 'key_id'])
        .execute();
      await schema
        .createTable('proposal_approvals')
        .addColumn('proposal_id', 'text', (column) => column.notNull())
        .addColumn('member', 'text', (column) => column.notNull())
        .addColumn('key_id', 'text', (column) => column.notNull())
        .addColumn('proof', 'text', (column) => column.notNull())
        .addColumn('approved_at', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('proposal_approvals_primary_key', ['proposal_id', 'member'])
        .execute();
      await schema
        .createTable('quorum_counters')
        .addColumn('key_id', 'text', (column) => column.primaryKey())
        .addColumn('counter', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
});

/** Brings these tables to the schema of this version; call it after the broker's own. Throws `BROKER_STORE_DAMAGED`. */
export async function migrateGovernance(db: BrokerDatabase): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    migrationTableName: 'governance_migration',
    migrationLockTableName: 'governance_migration_lock',
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined)
    throw new FastnessError('BROKER_STORE_DAMAGED', 'The tables of keys and proposals are not the expected ones.', {
      cause: error,
    });
}
