import { createPublicKey, verify } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { FastnessError } from '@fastness/codec/errors';
import {
  openFreshState,
  recordFile,
  signingSeal,
  type FreshnessAnchor,
  type FreshState,
} from '@fastness/evidence/freshness';
import type { AuditHead } from '../audit/entry.ts';
import type { AuditKind } from '../audit/facts.ts';
import type { BrokerSigner } from '../context.ts';
import type { BrokerWitnesses } from '../audit/witnesses.ts';
import { createEpochs } from './epochs.ts';
import { decodeHead } from './head.ts';

/** What a broker gives to the anchor that it opens. */
export interface AnchorHost {
  readonly auditPath: string;
  readonly signer: BrokerSigner;
  /** `log.witnesses`. */
  readonly witnesses: BrokerWitnesses | undefined;
  readonly report: (error: unknown) => void;
}

export interface BrokerFreshnessOptions {
  /**
   * An anchor, which stays the caller's to close after the broker; or how to open one, once the state is locked: then the
   * broker closes it.
   */
  readonly anchor: FreshnessAnchor | ((host: AnchorHost) => Promise<FreshnessAnchor>);
  /**
   * Seconds for which leases and key releases may go without being anchored: so much of them a rollback can hide. Everything
   * else (revocations, registrations, changes of policy) is anchored before it is confirmed. Default: 60.
   */
  readonly epochSeconds?: number;
  /** Takes the state as it is; see `openFreshState`. For one start, by a person's decision. */
  readonly adopt?: boolean;
}

/** What happens often, and at worst lets a lease run that a newer state would not know of. */
const ordinary: ReadonlySet<AuditKind> = new Set<AuditKind>(['key-released', 'lease-renewed']);

/** Keeps a broker's state from being put back. */
export interface BrokerFreshness {
  readonly found: FreshState['found'];
  readonly anchor: Pick<FreshnessAnchor, 'kind' | 'description' | 'trust'>;
  readonly failure: FastnessError | undefined;
  /** To be given every entry of the log while it is opened. */
  see(entry: AuditHead): void;
  /** Once log and database are open: both must hold what was anchored. Throws FRESHNESS_STATE_OLDER. */
  check(databaseHead: AuditHead | undefined): void;
  /** Throws FRESHNESS_UNAVAILABLE when the anchor was lost: then nothing may be changed any more. */
  require(): void;
  /** Tells that a change was committed; resolves when it may be confirmed. Throws FRESHNESS_UNAVAILABLE. */
  committed(kind: AuditKind, head: AuditHead): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the record beside the audit log and compares it with the anchor, before anything else of the state is used. The
 * record is signed by the broker's key: who can write files but not sign makes no state look newer than it is.
 */
export async function openBrokerFreshness(options: {
  readonly freshness: BrokerFreshnessOptions;
  readonly auditPath: string;
  readonly signer: BrokerSigner;
  readonly witnesses: BrokerWitnesses | undefined;
  /** The last entry that the database depends on; undefined in a new one. */
  readonly databaseHead: AuditHead | undefined;
  readonly report: (error: unknown) => void;
}): Promise<BrokerFreshness> {
  const { freshness, auditPath, signer, witnesses, databaseHead, report } = options;
  const { adopt = false, epochSeconds = 60 } = freshness;
  await using opening = new AsyncDisposableStack();
  const host: AnchorHost = { auditPath, signer, witnesses, report };
  const anchor = typeof freshness.anchor === 'function' ? opening.use(await freshness.anchor(host)) : freshness.anchor;
  const publicKey = createPublicKey({ key: Buffer.from(signer.publicKey), format: 'der', type: 'spki' });
  const state = await openFreshState({
    anchor,
    store: recordFile(`${auditPath}.freshness`),
    seal: signingSeal({
      sign: (message) => signer.sign(message),
      verify: (message, signature) => Promise.resolve(verify(null, message, publicKey, signature)),
    }),
    empty: databaseHead === undefined && (await isEmpty(auditPath)),
    adopt,
  });
  const anchored = state.content === undefined ? undefined : decodeHead(state.content);
  const epochs = createEpochs({ state, epochMs: epochSeconds * 1000, report });
  const opened = opening.move();
  let inLog = anchored === undefined || anchored.seq === 0;
  return {
    found: state.found,
    anchor,
    get failure() {
      return epochs.failure;
    },
    see({ seq, hash }) {
      if (seq === anchored?.seq && hash === anchored.hash) inLog = true;
    },
    check(head) {
      if (anchored === undefined) return;
      if (!inLog) throw new FastnessError('FRESHNESS_STATE_OLDER', `The log does not hold entry ${anchored.seq}.`);
      if ((head?.seq ?? 0) < anchored.seq) {
        const at = head === undefined ? 'is empty' : `is at entry ${head.seq}`;
        throw new FastnessError('FRESHNESS_STATE_OLDER', `The database ${at}, and was at entry ${anchored.seq}.`);
      }
    },
    require() {
      if (epochs.failure !== undefined)
        throw new FastnessError('FRESHNESS_UNAVAILABLE', undefined, { cause: epochs.failure });
    },
    committed: (kind, head) => epochs.reached(head, { wait: !ordinary.has(kind) }),
    async close() {
      await epochs.close();
      await opened.disposeAsync();
    },
  };
}

async function isEmpty(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size === 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return true;
    throw error;
  }
}
