import type { TrustAnchors } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import type { AuditFacts, AuditKind } from './audit/facts.ts';
import type { AuditHead } from './audit/entry.ts';
import type { AuditLog } from './audit/log.ts';
import type { AuditNoise } from './audit/noise.ts';
import type { Cosigning } from './audit/cosigning.ts';
import type { Transparency } from './audit/transparency.ts';
import type { CompleteEndorsements } from './endorsements.ts';
import type { BrokerFreshness } from './freshness/broker-freshness.ts';
import type { Governance, RulesInForce } from './lifecycle/governance.ts';
import { requireRules } from './lifecycle/in-force.ts';
import type { BrokerLimits } from './limits.ts';
import type { ParsedBrokerPolicy } from './policy.ts';
import type { ShareIntake } from './share-intake.ts';
import { inTransaction, saveAuditHead, type BrokerDatabase, type InstanceClaim } from './store/index.ts';

/** The key by which a broker is known: it signs leases and attestation results. */
export interface BrokerSigner {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** SHA-256 of `publicKey`, hex. */
  readonly keyId: string;
  /** Ed25519, 64 bytes. Throws `BROKER_KEY_STORE`. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** What the stages of a running broker share. */
export interface BrokerContext {
  readonly db: BrokerDatabase;
  /** By which this broker records in the database. */
  readonly claim: InstanceClaim;
  readonly audit: AuditLog;
  readonly noise: AuditNoise;
  /** Absent: nothing keeps database and log from being put back together. */
  readonly freshness?: BrokerFreshness;
  /** Absent: entries are chained and nothing more; releases that name a log are refused. */
  readonly transparency?: Transparency;
  /** Absent: no witness is asked. */
  readonly cosigning?: Cosigning;
  readonly keyStore: KeyStore;
  readonly signer: BrokerSigner;
  /** Absent: no share of a key is taken in. */
  readonly shareIntake?: ShareIntake;
  /** The policy in force; a change may replace it while the broker runs. */
  readonly policy: ParsedBrokerPolicy;
  /** Policy and quorum in force; absent in parts of a broker that have neither, and then there is no quorum. */
  readonly governance?: Governance;
  /** What a decision is made under, see `underRulesInForce`; absent: what is recorded does not depend on rules. */
  readonly rules?: RulesInForce;
  readonly anchors: TrustAnchors;
  /** Absent: evidence is verified with what came with it. */
  readonly completeEndorsements?: CompleteEndorsements;
  readonly limits: BrokerLimits;
  readonly now: () => Date;
}

/** What a transaction does, as the audit log will say it. */
export interface Recorded<K extends AuditKind, T> {
  readonly kind: K;
  readonly facts: AuditFacts<K>;
  readonly result: T;
}

/**
 * Changes the database and says so in the audit log, in the only safe order: the entry is on disk before the change is
 * committed, and the caller hands nothing out before both. When the change fails after its entry was written, a second
 * entry takes the first one back; when nobody can say whether it failed (`BROKER_STORE_UNCERTAIN`), the entry stands.
 * With rollback protection the change is anchored before this returns, or at the end of the epoch.
 * Throws what `work` throws, `BROKER_RULES_CHANGED`, `AUDIT_UNAVAILABLE`, `BROKER_STORE...`, `BROKER_LOCKED`, `FRESHNESS_UNAVAILABLE`.
 */
export async function commitRecorded<K extends AuditKind, T>(
  context: Pick<BrokerContext, 'db' | 'claim' | 'audit' | 'freshness' | 'rules'>,
  work: (trx: BrokerDatabase) => Promise<Recorded<K, T>>,
): Promise<T> {
  return (await commitLogged(context, work)).result;
}

/** As `commitRecorded`, and gives the entry. */
export async function commitLogged<K extends AuditKind, T>(
  context: Pick<BrokerContext, 'db' | 'claim' | 'audit' | 'freshness' | 'rules'>,
  work: (trx: BrokerDatabase) => Promise<Recorded<K, T>>,
): Promise<{ result: T; entry: AuditHead }> {
  const { db, claim, audit, freshness, rules } = context;
  freshness?.require();
  let written: AuditHead | undefined;
  let done: { readonly kind: K; readonly head: AuditHead; readonly result: T };
  try {
    done = await inTransaction(
      db,
      async (trx) => {
        if (rules !== undefined) await requireRules(trx, rules);
        const { kind, facts, result } = await work(trx);
        const head = await audit.append(kind, facts);
        written = head;
        await saveAuditHead(trx, claim, head);
        return { kind, head, result };
      },
      // One change, one entry.
      { mayRunAgain: () => written === undefined },
    );
  } catch (error) {
    if (written !== undefined) {
      const code = error instanceof FastnessError ? error.code : 'BROKER_INTERNAL';
      if (code === 'BROKER_STORE_UNCERTAIN') throw error;
      await audit.append('not-committed', { entry: written.seq, code });
    }
    throw error;
  }
  await freshness?.committed(done.kind, done.head);
  return { result: done.result, entry: done.head };
}
